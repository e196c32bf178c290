"""What deepdance reads to know of this package. It is imported for `dd plugins list`: keep it light."""

from deepdance.plugins import ComponentSpec, hookimpl

COMPONENTS = (
    ComponentSpec(
        kind="logger",
        name="my-logger",
        target="my_logger.logger:MyLogger",
        options="deepdance.interfaces:Options",
        summary="the losses of both trainings as a CSV",
        api_version=2,
    ),
)


@hookimpl
def deepdance_components() -> tuple[ComponentSpec, ...]:
    return COMPONENTS
