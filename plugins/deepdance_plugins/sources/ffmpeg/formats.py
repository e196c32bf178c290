"""The files that are read: those that hold all their pictures themselves."""

from __future__ import annotations

from itertools import chain

FORMATS = {
    "mov": (".mp4", ".mov", ".m4v", ".3gp", ".3gpp", ".3g2", ".f4v", ".qt", ".mj2"),
    "matroska": (".mkv", ".webm", ".mk3d"),
    "avi": (".avi", ".divx"),
    "mpegts": (".ts", ".mts", ".m2ts", ".m2t"),
    "mpeg": (".mpg", ".mpeg", ".mpe", ".m2p", ".vob", ".mod", ".tod"),
    "mpegvideo": (".m2v", ".m1v", ".mpv"),
    "gif": (".gif",),
    "apng": (".apng",),
    "flv": (".flv",),
    "ogg": (".ogv", ".ogm"),
    "asf": (".wmv", ".asf", ".dvr-ms"),
    "rm": (".rm", ".rmvb"),
    "dv": (".dv", ".dif"),
    "mxf": (".mxf",),
    "gxf": (".gxf",),
    "wtv": (".wtv",),
    "nut": (".nut",),
    "yuv4mpegpipe": (".y4m",),
    "mjpeg": (".mjpeg", ".mjpg"),
    "ivf": (".ivf",),
    "obu": (".obu",),
    "h264": (".h264", ".264", ".avc"),
    "hevc": (".h265", ".265", ".hevc"),
    "vvc": (".h266", ".266", ".vvc"),
    "m4v": (),
    "h263": (".h263",),
    "dnxhd": (".dnxhd", ".dnxhr"),
    "vc1": (".vc1",),
}
"""FFmpeg's readers, and the endings of their files. FFmpeg goes by the content, whatever the ending.

Left out is what opens more than the one file that was named: playlists, manifests and scripts (`concat`, `hls`, `dash`,
`imf`, `avisynth`, `sdp` …), numbered pictures (`image2`), devices and discs.
"""

SUFFIXES = tuple(chain.from_iterable(FORMATS.values()))
