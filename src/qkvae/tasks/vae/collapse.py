"""What goes wrong while a variational autoencoder learns, and the one thing to do about it."""

from __future__ import annotations

from collections.abc import Mapping

from qkvae.config import VAE, TextVAE, Vae

_LEAST_KL = 0.1
"""Nats of all latents together below which the decoder as good as ignores them."""

_LEAST_SHARE = 0.05
"""Part of the latents, at least one, that is active in a run that is well: those that are too many for the
data fall asleep by themselves, and harm nothing."""


_FEWEST = 20
"""Data from which it is told which latents are active: fewer hardly differ."""


def advised(figures: Mapping[str, float], config: Vae, data: int = _FEWEST) -> str | None:
    """One sentence and one action where the latents of so many data are not used; None where all is well.

    Posterior collapse, Bowman et al. 2016, arXiv:1511.06349: KL(q ‖ p) → 0, so that the decoder reads noise.

    >>> advised({"kl": 25.1, "active_units": 19}, Vae()) is None
    True
    >>> print(advised({"kl": 0.002, "active_units": 0}, Vae()))
    posterior collapse: the latents tell 0.002 nats of a datum, 0 of 32 are active: give --free-nats 0.1
    """
    latent, active, kl = config.model.latent, int(figures["active_units"]), figures["kl"]
    if kl >= _LEAST_KL and (data < _FEWEST or active >= max(1, _LEAST_SHARE * latent)):
        return None
    what = f"the latents tell {kl:.3g} nats of a datum, {active} of {latent} are active"
    return f"posterior collapse: {what}: {_action(config)}"


def _action(config: Vae) -> str:
    learning = config.learning
    if learning.beta > 1:
        return f"give a lower --beta than {learning.beta:g}"
    if isinstance(config.model, TextVAE) and not config.model.word_dropout:
        return "give --model.word-dropout 0.3"
    told = config.model.prior if isinstance(config.model, VAE) else "standard"
    if learning.bound == "elbo" and not learning.free_nats and told != "vamp":
        return "give --free-nats 0.1"
    if learning.bound == "elbo" and learning.beta_schedule == "constant":
        return "give --beta-schedule linear"
    return f"give a lower --optimizer.lr than {config.optimizer.lr:g}"
