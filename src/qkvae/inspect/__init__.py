"""Seeing inside: listen to any named tap, draw it, and write it down as one page that needs no network."""
