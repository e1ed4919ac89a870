"""Variational autoencoders: from pictures or tables to latents, new data and scores."""

from qkvae.tasks.vae.coder import Coder as Answerer

__all__ = ["Answerer"]
