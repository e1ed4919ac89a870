"""The settings of a model of any family."""

from qkvae.config.coded import VQ, CodePrior
from qkvae.config.families import Family
from qkvae.config.grids import GridFamily
from qkvae.config.latent import VAE
from qkvae.config.text_latent import TextVAE

LatentFamily = VAE | VQ | CodePrior | TextVAE
"""The settings of a model with latent variables."""

ModelConfig = Family | GridFamily | LatentFamily
"""The settings of any model."""
