"""One file per task, with everything that decides a run of it; and the table of them."""

from qkvae.config.tasks.feature_extraction import Comparing, FeatureExtraction, Likeness, SimilarityData
from qkvae.config.tasks.fill_mask import Filling, FillMask, Masking, PassageData
from qkvae.config.tasks.image_classification import GridLearning, ImageClassification
from qkvae.config.tasks.image_generation import ConditionedData, ImageGeneration
from qkvae.config.tasks.masked_image_modeling import MaskedImageModeling, PatchMasking, Reconstructing
from qkvae.config.tasks.question_answering import Answering, QuestionAnswering, QuestionData
from qkvae.config.tasks.signal_classification import SignalClassification
from qkvae.config.tasks.text_classification import Choosing, LabelledData, Learning, TextClassification
from qkvae.config.tasks.text_generation import TextData, TextGeneration, Writing
from qkvae.config.tasks.translation import Translation, TranslationData
from qkvae.config.tasks.vae import Inference, LatentData, Telling, Vae
from qkvae.config.tasks.video_classification import VideoClassification
from qkvae.config.tasks.vq_vae import CodeLearning, CodeTelling, VqVae

TaskConfig = (
    Translation
    | TextGeneration
    | FillMask
    | TextClassification
    | QuestionAnswering
    | FeatureExtraction
    | ImageClassification
    | MaskedImageModeling
    | Vae
    | VqVae
    | ImageGeneration
)
"""The settings of a run of any task."""

TASKS: dict[str, type[TaskConfig]] = {
    "translation": Translation,
    "text-generation": TextGeneration,
    "fill-mask": FillMask,
    "text-classification": TextClassification,
    "question-answering": QuestionAnswering,
    "feature-extraction": FeatureExtraction,
    "image-classification": ImageClassification,
    "masked-image-modeling": MaskedImageModeling,
    "signal-classification": SignalClassification,
    "video-classification": VideoClassification,
    "vae": Vae,
    "vq-vae": VqVae,
    "image-generation": ImageGeneration,
}
"""The tasks by their names, which are the field's own."""

__all__ = [
    "TASKS",
    "Answering",
    "Choosing",
    "CodeLearning",
    "CodeTelling",
    "Comparing",
    "ConditionedData",
    "FeatureExtraction",
    "FillMask",
    "Filling",
    "GridLearning",
    "ImageClassification",
    "ImageGeneration",
    "Inference",
    "LabelledData",
    "LatentData",
    "Learning",
    "Likeness",
    "MaskedImageModeling",
    "Masking",
    "PassageData",
    "PatchMasking",
    "QuestionAnswering",
    "QuestionData",
    "Reconstructing",
    "SignalClassification",
    "SimilarityData",
    "TaskConfig",
    "Telling",
    "TextClassification",
    "TextData",
    "TextGeneration",
    "Translation",
    "TranslationData",
    "Vae",
    "VideoClassification",
    "VqVae",
    "Writing",
]
