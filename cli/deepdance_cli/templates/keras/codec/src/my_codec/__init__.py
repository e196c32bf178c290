"""What deepdance reads to know of this package. It is imported for `dd plugins list`: keep it light."""

from deepdance.plugins import ComponentSpec, hookimpl

COMPONENTS = (
    ComponentSpec(
        kind="codec",
        name="my-codec",
        target="my_codec.codec:MyCodec",
        options="my_codec.codec_options:MyCodecOptions",
        summary="a small convolutional autoencoder",
        api_version=2,
    ),
)


@hookimpl
def deepdance_components() -> tuple[ComponentSpec, ...]:
    return COMPONENTS
