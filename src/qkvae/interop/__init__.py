"""Other people's weight names and formats, in adapters: no other room knows them."""
