"""The command line of ffmpeg: how it opens a file, and what its filters do to the frames on their way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deepdance_plugins._files import MAX_PIXELS
from deepdance_plugins.sources.ffmpeg.formats import FORMATS

SAFE_INPUT = {"protocol_whitelist": "file", "format_whitelist": ",".join(FORMATS), "max_pixels": str(MAX_PIXELS)}
"""No network, no playlists or scripts that open other files, no frame that fills the memory."""

RAW = ("-fps_mode", "passthrough", "-f", "rawvideo")

PLANES = "gbrp"
"""Green, blue and red, each in a plane of its own.

Where ffmpeg scales, it makes them in half the time of `rgb24` and up to seven times nearer to the exact colours: it
rounds them, and does not halve their width again. Where 8 bits of 4:2:0 keep their size, both are the same.
"""

LONGEST_STILL = 10.0
"""Seconds for which one picture may be held; a longer gap is a hole in the recording.

A recorder of a screen that writes only what changes pauses for seconds, and 10 s is what FFmpeg itself takes for a
broken clock. It also bounds what a few bytes with a huge duration can cost.
"""

MOST_SECONDS = 24 * 3600
"""Of one video, gaps left out: a few bytes can say of each of many frames that it is shown for `LONGEST_STILL`."""

LARGEST_ASPECT = 4
"""Pixels more than so many times as wide as high, or the other way round, are taken for a broken header."""

SANE_ASPECT = f"between(sar,1/{LARGEST_ASPECT},{LARGEST_ASPECT})*lte(iw*ih*sar,{MAX_PIXELS})"
SHOW = f"scale=w='max(1,round(iw*if({SANE_ASPECT},sar,1)))':h=ih,setsar=1"
"""Makes pixels square; ffmpeg has cropped and turned the picture before, as the file demands."""

DEINTERLACE = "scale,bwdif=deint=interlaced,"
"""One frame a frame, and only those that are flagged; `scale` keeps the first size if it changes midway."""

EARLIEST_STEP = 0.5
"""Seconds by which a time stamp may be earlier than one before: then its frame is only dropped."""


def lay_on_white(label: str) -> str:
    """The filters that blend frames with white by their alpha, exactly at both its ends; labels begin with `label`."""
    white = f"[{label}a]lutrgb=r=255:g=255:b=255:a=255[{label}w]"
    return f"format=gbrap,split[{label}a][{label}b];{white};[{label}w][{label}b]overlay=format=gbrp,"


def build_command(path: Path, decoding: Sequence[str], graph: str, output: Sequence[str]) -> list[str]:
    """What `graph` calls `[out]`, to the standard output.

    `-copyts` leaves the clock as it is in the file: ffmpeg would mend some jumps itself, and not tell.
    """
    guards = [word for name, value in SAFE_INPUT.items() for word in (f"-{name}", value)]
    reading = ["-nostdin", "-copyts", *guards, *decoding, "-reinit_filter", "0", "-i", f"file:{path}"]
    return [*reading, "-filter_complex", graph, "-map", "[out]", *output, "pipe:1"]


def close_gaps(fps: float | None) -> str:
    """The filter that stamps the first frame 0 and leaves out the jumps of the clock.

    A stamp more than `LONGEST_STILL` after the latest, or more than `EARLIEST_STEP` before it, is a jump: the frame
    then comes one frame after the latest, and all others stay as far from it. Of each jump are printed to standard
    error the time after which it comes and its seconds. Variable 0 is what is taken from the stamps, 1 the latest
    result, 2 how much later than that the frame is.
    """
    step = f"round({1 / (fps or 30):.9f}/TB)"
    jumped = f"gt(ld(2)*TB,{LONGEST_STILL})+lt(ld(2)*TB,-{EARLIEST_STEP})"
    closed = f"print(ld(1)*TB,16);print(ld(2)*TB,16);st(0,PTS-ld(1)-{step})"
    later = f"st(2,PTS-ld(0)-ld(1));if({jumped},{closed})"
    return f"setpts='if(N,{later},st(0,PTS));st(1,max(ld(1),PTS-ld(0)))'"


def sample_at(fps: float, picture: str) -> str:
    """The filters that make sample k the first frame with pts · fps ≥ k, the first frame's pts being 0.

    A frame at time t satisfies every k up to ⌊t · fps⌋, so it is taken if no frame before satisfied that k, and
    stands for all samples since the one before: it is stamped with the first of them, and the `fps` filter repeats
    it up to the next stamp. `setpts` stamps the end of the stream too, which makes the last repetition right.
    A stamp counts samples in units of 1000 s, which any time base can tell apart. The filters of `picture` see a frame
    before it is repeated.
    """
    return ",".join(
        [
            f"select='isnan(prev_selected_t)+gt({_number('t', fps)},{_number('prev_selected_t', fps)})'",
            f"setpts='if(N,{_number('PREV_INPTS*TB', fps)}+1,0)*1000/TB'",
            f"{picture},fps=1/1000:start_time=0",
        ]
    )


def _number(time: str, fps: float) -> str:
    """The last sample that has come at a time."""
    return f"floor({time}*{float(fps)!r}+1e-8)"
