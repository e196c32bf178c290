"""What deepdance reads to know of this package. It is imported for `dd plugins list`: keep it light."""

from deepdance.plugins import ComponentSpec, hookimpl

COMPONENTS = (
    ComponentSpec(
        kind="renderer",
        name="my-renderer",
        target="my_renderer.renderer:MyRenderer",
        options="my_renderer.renderer:MyRendererOptions",
        summary="a folder of pictures",
        suffixes=("/",),
        api_version=2,
    ),
)


@hookimpl
def deepdance_components() -> tuple[ComponentSpec, ...]:
    return COMPONENTS
