"""Sample logs, drawn from a seed: one small log per format, and the story with its planted truth."""

from costctl.samples.story_log import write_story
from costctl.samples.truth import StoryTruth
from costctl.samples.write import write_samples

__all__ = ["StoryTruth", "write_samples", "write_story"]
