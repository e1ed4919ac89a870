"""The settings of a model of any family."""

from qkvae.config.families import Family
from qkvae.config.grids import GridFamily
from qkvae.config.latent import LatentFamily

ModelConfig = Family | GridFamily | LatentFamily
"""The settings of any model."""
