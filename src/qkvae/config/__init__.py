"""What is asked for: frozen dataclasses, one sentence of help on every field, no torch.

Every value is checked when the object is made, so that a wrong one is refused before any work begins.
"""

from qkvae.config.block import Block
from qkvae.config.families import (
    Classes,
    Decoder,
    Encoder,
    Family,
    Head,
    Marks,
    MaskedWords,
    Seq2Seq,
    Spans,
    Vector,
)
from qkvae.config.generation import Generation
from qkvae.config.grids import GridFamily, LinearClasses, MaskedImage, Patches, Vision
from qkvae.config.latent import VAE, LatentFamily
from qkvae.config.model import ModelConfig
from qkvae.config.names import nearest
from qkvae.config.pictures import Augmentation, PictureData
from qkvae.config.serial import differences, from_dict, to_dict
from qkvae.config.start import Start
from qkvae.config.tasks import (
    TASKS,
    Answering,
    Choosing,
    Comparing,
    FeatureExtraction,
    Filling,
    FillMask,
    Inference,
    LabelledData,
    LatentData,
    Learning,
    Likeness,
    Masking,
    PassageData,
    QuestionAnswering,
    QuestionData,
    SimilarityData,
    TaskConfig,
    Telling,
    TextClassification,
    TextData,
    TextGeneration,
    Translation,
    TranslationData,
    Vae,
    Writing,
)
from qkvae.config.training import Optimizer, Saving, Training

__all__ = [
    "TASKS",
    "VAE",
    "Answering",
    "Augmentation",
    "Block",
    "Choosing",
    "Classes",
    "Comparing",
    "Decoder",
    "Encoder",
    "Family",
    "FeatureExtraction",
    "FillMask",
    "Filling",
    "Generation",
    "GridFamily",
    "Head",
    "Inference",
    "LabelledData",
    "LatentData",
    "LatentFamily",
    "Learning",
    "Likeness",
    "LinearClasses",
    "Marks",
    "MaskedImage",
    "MaskedWords",
    "Masking",
    "ModelConfig",
    "Optimizer",
    "PassageData",
    "Patches",
    "PictureData",
    "QuestionAnswering",
    "QuestionData",
    "Saving",
    "Seq2Seq",
    "SimilarityData",
    "Spans",
    "Start",
    "TaskConfig",
    "Telling",
    "TextClassification",
    "TextData",
    "TextGeneration",
    "Training",
    "Translation",
    "TranslationData",
    "Vae",
    "Vector",
    "Vision",
    "Writing",
    "differences",
    "from_dict",
    "nearest",
    "to_dict",
]
