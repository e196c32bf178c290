"""What deepdance reads to know of this package. It is imported for `dd plugins list`: keep it light."""

from deepdance.plugins import ComponentSpec, hookimpl

COMPONENTS = (
    ComponentSpec(
        kind="logger",
        name="my-logger",
        target="my_logger.logger:MyLogger",
        options="my_logger.logger:MyLoggerOptions",
        summary="writes nothing yet",
        api_version=2,
    ),
)


@hookimpl
def deepdance_components() -> tuple[ComponentSpec, ...]:
    return COMPONENTS
