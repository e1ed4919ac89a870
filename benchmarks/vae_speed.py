"""Training and sampling speed of a variational autoencoder: pictures a second.

    python benchmarks/vae_speed.py
    python benchmarks/vae_speed.py --sampling --count 4096

The model of pytorch/examples: 784-400-20-400-784, ReLU, Bernoulli pixels, batches of 128.  Everybody learns
from the same grey pictures of random numbers; with --sampling pictures are drawn from the prior, --count
of them at a time.

- qkvae: bytes in memory, the loop's own step (fp32 weights, bf16 where it says so), fused AdamW;
- torch: the example as its authors write it (sigmoid, then binary cross-entropy; Adam; a sum per step),
  written anew here, with batches that are given, and with a DataLoader as a user has it;
- pythae, if it can be imported (``--peer`` for a checkout): its VAE and its optimiser, with batches given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from steps import LR, ours
from timing import Candidate, Work, measure, parser, report

BATCH, NUMBERS, HIDDEN, LATENT = 128, 784, 400, 20


def pictures(count: int) -> np.ndarray:
    """Grey pictures, most of them black, as handwriting is."""
    draw = np.random.default_rng(0)
    return (draw.integers(0, 256, (count, NUMBERS)) * (draw.random((count, NUMBERS)) < 0.2)).astype(np.uint8)


def own_model() -> Any:
    """The example's model in qkvae's words."""
    from qkvae.config import VAE
    from qkvae.models import build

    return build(VAE(shape=(1, 28, 28), latents=(LATENT,), widths=(HIDDEN,)))


def qkvae(data: np.ndarray, batches: int, optimizer: str, precision: str) -> Work:
    """A step as `qkvae.train` takes it, from bytes."""
    import torch

    from qkvae.losses.bounds import negative_elbo, terms

    model, bytes_, places = own_model(), torch.from_numpy(data), np.random.default_rng(1)

    def loss(rows: Any) -> tuple[Any, int]:
        x = bytes_.index_select(0, rows).float().div_(255).view(-1, 1, 28, 28)
        return negative_elbo(terms(model, x, torch.randn(1, len(rows), LATENT))), len(rows)

    step = ours(model, loss, optimizer, precision)

    def work(number: int) -> float:
        for _ in range(batches):
            step(torch.from_numpy(places.integers(0, len(data), BATCH)))
        return batches * BATCH

    return work


def example() -> Any:
    """The model of pytorch/examples, in the same words of torch."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    class Example(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.read, self.tell = nn.Linear(NUMBERS, HIDDEN), nn.Linear(LATENT, HIDDEN)
            self.mu, self.logvar = nn.Linear(HIDDEN, LATENT), nn.Linear(HIDDEN, LATENT)
            self.pixels = nn.Linear(HIDDEN, NUMBERS)

        def decode(self, z: Any) -> Any:
            return torch.sigmoid(self.pixels(F.relu(self.tell(z))))

        def forward(self, x: Any) -> Any:
            h = F.relu(self.read(x.view(-1, NUMBERS)))
            mu, logvar = self.mu(h), self.logvar(h)
            std = torch.exp(0.5 * logvar)
            return self.decode(mu + torch.randn_like(std) * std), mu, logvar

    return Example()


def example_step() -> Callable[[Any], None]:
    """Its step: the summed loss, Adam."""
    import torch
    import torch.nn.functional as F

    model = example().train()
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)

    def step(x: Any) -> None:
        optimizer.zero_grad()
        told, mu, logvar = model(x)
        loss = F.binary_cross_entropy(told, x.view(-1, NUMBERS), reduction="sum")
        loss = loss - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
        loss.backward()
        loss.item()
        optimizer.step()

    return step


def torch_given(data: np.ndarray, batches: int) -> Work:
    """The example with batches that lie ready as fp32."""
    import torch

    step, x, places = example_step(), torch.from_numpy(data).float().div(255), np.random.default_rng(1)
    ready = [x[torch.from_numpy(places.integers(0, len(x), BATCH))] for _ in range(batches)]

    def work(number: int) -> float:
        for batch in ready:
            step(batch)
        return batches * BATCH

    return work


def torch_loader(data: np.ndarray, batches: int) -> Work:
    """The example with a DataLoader over pictures in memory: the least that a user of torch writes."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    pixels = torch.from_numpy(data).float().div(255)
    loader = DataLoader(TensorDataset(pixels), BATCH, shuffle=True, drop_last=True)
    step = example_step()

    def work(number: int) -> float:
        done = 0
        while done < batches:
            for (x,) in loader:
                step(x)
                done += 1
                if done == batches:
                    break
        return batches * BATCH

    return work


def pythae_model() -> Any:
    """pythae's VAE of this size; its own default nets have one hidden layer of 512."""
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from torch import nn

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            BaseEncoder.__init__(self)
            self.hidden = nn.Sequential(nn.Flatten(), nn.Linear(NUMBERS, HIDDEN), nn.ReLU())
            self.embedding, self.log_var = nn.Linear(HIDDEN, LATENT), nn.Linear(HIDDEN, LATENT)

        def forward(self, x: Any) -> Any:
            h = self.hidden(x)
            return ModelOutput(embedding=self.embedding(h), log_covariance=self.log_var(h))

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            BaseDecoder.__init__(self)
            self.net = nn.Sequential(
                nn.Linear(LATENT, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, NUMBERS), nn.Sigmoid()
            )

        def forward(self, z: Any) -> Any:
            return ModelOutput(reconstruction=self.net(z).view(-1, 1, 28, 28))

    settings = VAEConfig(input_dim=(1, 28, 28), latent_dim=LATENT, reconstruction_loss="bce")
    return VAE(settings, encoder=Encoder(), decoder=Decoder())


def pythae_given(data: np.ndarray, batches: int) -> Work:
    """pythae's forward and loss with Adam, as its trainer takes a step, with batches given."""
    import torch

    model = pythae_model().train()
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    x, places = torch.from_numpy(data).float().div(255).view(-1, 1, 28, 28), np.random.default_rng(1)
    ready = [x[torch.from_numpy(places.integers(0, len(x), BATCH))] for _ in range(batches)]

    def work(number: int) -> float:
        for batch in ready:
            loss = model({"data": batch}).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()
        return batches * BATCH

    return work


def drawn_qkvae(batches: int, count: int, precision: str) -> Work:
    """Pictures from the prior, the expected pixels."""
    import torch

    model = own_model().eval()
    if precision == "bf16":
        model = model.to(torch.bfloat16)

    def work(number: int) -> float:
        generator = torch.Generator().manual_seed(number)
        for _ in range(batches):
            model.sample(count, generator)
        return batches * count

    return work


def drawn_torch(batches: int, count: int) -> Work:
    """The example's way: z, then its decoder."""
    import torch

    model = example().eval()

    @torch.no_grad()
    def work(number: int) -> float:
        for _ in range(batches):
            model.decode(torch.randn(count, LATENT))
        return batches * count

    return work


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument(
        "--sampling", action="store_true", help="draw pictures instead of learning from them"
    )
    options.add_argument("--count", type=int, default=BATCH, help="with --sampling: pictures at a time")
    options = options.parse_args()
    number, batches = options.rounds or (1 if options.tiny else 7), 4 if options.tiny else 400
    data = pictures(256 if options.tiny else 20_000)
    if options.sampling:
        size = (batches * BATCH // options.count, options.count)
        kinds = ("bf16", "fp32")
        candidates = [Candidate(f"qkvae, {kind}", drawn_qkvae, (*size, kind)) for kind in kinds]
        candidates.append(Candidate("torch example", drawn_torch, size))
    else:
        candidates = [
            Candidate(f"qkvae, AdamW, {kind}", qkvae, (data, batches, "adamw", kind))
            for kind in ("bf16", "fp32")
        ]
        candidates += [
            Candidate("torch example, batches given", torch_given, (data, batches)),
            Candidate("torch example, DataLoader", torch_loader, (data, batches)),
            Candidate("pythae, batches given", pythae_given, (data, batches)),
        ]
    print(report(measure(candidates, options, number), options, "pictures/s"))


if __name__ == "__main__":
    main()
