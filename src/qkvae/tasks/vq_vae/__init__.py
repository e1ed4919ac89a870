"""VQ-VAEs: from pictures to codes and back."""

from qkvae.tasks.vq_vae.coder import CodeCoder as Answerer

__all__ = ["Answerer"]
