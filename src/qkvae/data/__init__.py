"""The user's files → batches; knows no model."""
