"""Image generation: new pictures, of codes that a Transformer writes."""

from qkvae.tasks.vq_vae.coder import CodeCoder as Answerer

__all__ = ["Answerer"]
