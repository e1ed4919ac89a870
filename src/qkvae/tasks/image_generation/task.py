"""Image generation, verb by verb: as of a VQ-VAE, whose codes a Transformer learns."""

from __future__ import annotations

from qkvae.tasks.vq_vae.objective import PriorObjective
from qkvae.tasks.vq_vae.task import coded

TASK = coded("image-generation", PriorObjective)
