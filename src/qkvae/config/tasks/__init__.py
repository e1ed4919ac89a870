"""One file per task, with everything that decides a run of it; and the table of them."""

from qkvae.config.tasks.question_answering import Answering, QuestionAnswering, QuestionData
from qkvae.config.tasks.text_classification import Choosing, LabelledData, Learning, TextClassification
from qkvae.config.tasks.text_generation import TextData, TextGeneration, Writing
from qkvae.config.tasks.translation import Translation, TranslationData

TaskConfig = Translation | TextGeneration | TextClassification | QuestionAnswering
"""The settings of a run of any task."""

TASKS: dict[str, type[TaskConfig]] = {
    "translation": Translation,
    "text-generation": TextGeneration,
    "text-classification": TextClassification,
    "question-answering": QuestionAnswering,
}
"""The tasks by their names, which are the field's own."""

__all__ = [
    "TASKS",
    "Answering",
    "Choosing",
    "LabelledData",
    "Learning",
    "QuestionAnswering",
    "QuestionData",
    "TaskConfig",
    "TextClassification",
    "TextData",
    "TextGeneration",
    "Translation",
    "TranslationData",
    "Writing",
]
