"""From a model's distributions to answers: greedy, beam search, sampling.  Token ids only."""

from qkvae.generate.hypothesis import Hypothesis, rerank
from qkvae.generate.model import Decodable, State
from qkvae.generate.search import finished_hypotheses, generate

__all__ = ["Decodable", "Hypothesis", "State", "finished_hypotheses", "generate", "rerank"]
