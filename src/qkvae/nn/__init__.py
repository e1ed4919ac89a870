"""The parts of a Transformer: tensors in, tensors out."""
