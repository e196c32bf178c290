from deepdance.events import Event
from deepdance.interfaces import Logger, Options


class MyLoggerOptions(Options):
    pass


class MyLogger(Logger[MyLoggerOptions]):
    def __call__(self, event: Event) -> None:
        pass
