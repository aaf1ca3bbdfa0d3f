"""The one exception that means: the user's input is wrong, and here is the remedy."""


class InputError(ValueError):
    """A setting, file, checkpoint or update that cannot be used.

    The message is one line that names the argument or file, its value and what to do about it. The command line
    prints it and exits with status 2; anything that is not an ``InputError`` is a bug and keeps its traceback.
    """
