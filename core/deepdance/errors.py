"""Errors a user can act on: each message says what was expected, what came, and what to do."""


class DeepDanceError(Exception):
    """Anything the user can put right. The command line shows its one line and exits with 2."""


class InputError(DeepDanceError):
    """A video, image folder or array that cannot be read, or holds too little to learn from."""


class OptionError(DeepDanceError):
    """An option or recipe entry that does not exist or is out of range."""


class PluginError(DeepDanceError):
    """A component that is unknown, ambiguous, or failed to load."""


class MissingModelError(PluginError):
    """A model that a component needs, and that could not be fetched."""


class TrainingError(DeepDanceError):
    """A training whose numbers have left all bounds; what was left of its last good epoch stays."""


class WorkspaceError(DeepDanceError):
    """A run or artifact that is missing, damaged, or cannot be written."""


class WorkerError(DeepDanceError):
    """A process that did a part of the work, and was ended from outside."""


class ClusterLostError(WorkerError):
    """A cluster that has gone while it worked: none of its workers is left to go on."""


class RenderError(DeepDanceError):
    """A finished dance that could not be written."""
