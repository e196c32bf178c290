"""What deepdance reads to know of this package. It is imported for `dd plugins list`: keep it light."""

from deepdance.plugins import ComponentSpec, hookimpl

COMPONENTS = (
    ComponentSpec(
        kind="source",
        name="my-source",
        target="my_source.source:MySource",
        options="my_source.source:MySourceOptions",
        summary="an .npy of RGB frames",
        suffixes=(".npy",),
        api_version=2,
    ),
)


@hookimpl
def deepdance_components() -> tuple[ComponentSpec, ...]:
    return COMPONENTS
