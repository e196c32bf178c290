"""Inputs that are addresses, such as `s3://bucket/clips/`: copies of them, which are read like any local file.

Nothing here is reached from a recipe, from a run, or from inside a file: only what somebody types is fetched, and only
where they allow it.
"""

from __future__ import annotations

import hashlib
import re
import socket
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from importlib.util import find_spec
from ipaddress import IPv6Address, ip_address
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from deepdance.downloads import STALL_SECONDS, Body, DownloadCache, Held, RemoteFile
from deepdance.errors import InputError
from deepdance.events import Listener, Progress, StageFinished, StageStarted
from deepdance.folders import Listing, natural_order, show_url
from deepdance.inputs import URL, refuse_file, show_location
from deepdance.plugins import Registry
from deepdance.threads import do_together

STAGE = "download"
WEB = ("http", "https")
LOCAL = ("file", "local")
PIECE = 1 << 20
AT_ONCE = 4
"""Files that are fetched at once."""
LONGEST_NAME = 100
"""Letters of a copy's name, its ending among them."""
CONNECT_SECONDS = 15.0
STORE_OPTIONS: dict[str, dict[str, Any]] = {
    "s3": {"config_kwargs": {"connect_timeout": CONNECT_SECONDS, "read_timeout": STALL_SECONDS}}
}
"""What a store is opened with besides what its users have set up; each library names its times otherwise."""
VERSIONS = ("ETag", "etag", "md5Hash", "generation", "LastModified", "last_modified", "updated", "mtime", "modified")
"""Where stores tell which version of a file they have, the surest first."""


def fetch_inputs(registry: Registry, typed: Sequence[str], listen: Listener) -> list[str]:
    """What was typed, with paths of local copies where it was addresses; the rest stays as it is.

    `s3://bucket/clips/` stands for the videos and arrays in it, `s3://bucket/clips/*.mp4` for all that match, in
    natural order. All copies of one call are there at the same time. Raises InputError, OptionError.
    """
    expanded = [_expand(registry, text) if URL.match(text) else [text] for text in typed]
    return _fetch_all([each for some in expanded for each in some], listen)


def fetch_input(registry: Registry, typed: str, listen: Listener) -> str:
    """`fetch_inputs` of one video. Raises InputError where an address stands for several."""
    files = _expand(registry, typed) if URL.match(typed) else [typed]
    if len(files) > 1:
        raise InputError(f"expected one video, got the {len(files)} at {show_url(typed)}; name one of them")
    return _fetch_all(files, listen)[0]


def _fetch_all(files: Sequence[RemoteFile | str], listen: Listener) -> list[str]:
    """A path for each. The first failure stops the others, and the next command goes on with what they have."""
    remote = {file.key: file for file in files if not isinstance(file, str)}
    cache = DownloadCache.find()

    def fetch(listen: Listener, file: RemoteFile) -> str:
        return _fetch(cache, file, remote.keys(), listen)

    paths = dict(zip(remote, do_together(listen, AT_ONCE, fetch, zip(remote.values())), strict=True))
    return [file if isinstance(file, str) else paths[file.key] for file in files]


def _fetch(cache: DownloadCache, file: RemoteFile, kept: Set[str], listen: Listener) -> str:
    name = show_location(file.place)
    listen(StageStarted(STAGE, name))
    path = cache.fetch(
        file,
        kept,
        lambda done, total: listen(Progress(STAGE, done, total)),
        lambda: listen(Progress(STAGE, 0, None, f"another process is fetching {name}; waiting for it")),
    )
    listen(StageFinished(STAGE, False, name))
    return str(path)


def _expand(registry: Registry, url: str) -> list[RemoteFile]:
    """The files that an address names. Raises InputError."""
    scheme = url.partition("://")[0].lower()
    if find_spec("fsspec") is None:
        raise InputError(
            f"expected the package fsspec for {show_url(url)}, got none; install it with: "
            "pip install 'deepdance[remote]'"
        )
    if scheme in LOCAL or (scheme not in WEB and "::" in url):  # fsspec would follow one address to another
        raise InputError(f"expected one address of another machine, got {show_url(url)}; name a file by its path")
    return [_make_web_file(url)] if scheme in WEB else _expand_store(registry, url, scheme)


def _make_web_file(url: str) -> RemoteFile:
    """A page has no list of its files that could be trusted, so an address is one file."""
    try:
        path, host = unquote(urlsplit(url).path), urlsplit(url).hostname
    except ValueError:
        host = None
    if not host or path.endswith("/") or "*" in path:
        raise InputError(f"expected the address of one file, got {show_url(url)}; name each file of a web server")
    return WebFile(url, show_url(url), _make_key(url), _make_place(path))


def _expand_store(registry: Registry, url: str, scheme: str) -> list[RemoteFile]:
    fs, path = _open_store(url, scheme)
    try:
        folder = "*" not in path and (url.endswith("/") or fs.isdir(path))
        if folder:
            found = [info["name"] for info in fs.ls(path, detail=True) if info["type"] == "file"]
        else:
            found = fs.glob(path) if "*" in path else [path]
    except Exception as error:
        raise InputError(
            f"expected files at {show_url(url)}, got: {type(error).__name__}; check the address and the credentials"
        ) from None
    names = sorted((each for each in found if not each.endswith("/")), key=lambda each: natural_order(Path(each)))
    if folder:
        names = _choose_videos(registry, path, names)
    if not names:
        raise InputError(f"expected videos or arrays at {show_url(url)}, got none; check the address")
    return [
        StoredFile(fs, name, f"{scheme}://{name}", _make_key(f"{scheme}://{name}"), _make_place(name)) for name in names
    ]


def _open_store(url: str, scheme: str) -> tuple[Any, str]:
    """The file system of an address, set up as its users have, and the path in it. Raises InputError."""
    from fsspec.core import url_to_fs

    try:
        fs, path = url_to_fs(url, **STORE_OPTIONS.get(scheme, {}))
    except ImportError:
        raise InputError(
            f"expected the package that reads {scheme}://, got none; `python -c 'import fsspec; "
            f'fsspec.filesystem("{scheme}")\'` names it'
        ) from None
    except Exception as error:
        raise InputError(
            f"expected an address that fsspec can open, got {show_url(url)} ({type(error).__name__}); "
            "check how it begins"
        ) from None
    return fs, path


def _choose_videos(registry: Registry, folder: str, names: Sequence[str]) -> list[str]:
    """Those of a folder's files that a local folder's would be taken of, which is told."""
    listing = Listing(Path(folder))
    for name in names:
        path = Path(name)
        reason = "hidden" if path.name.startswith(".") else refuse_file(registry, path)
        if reason:
            listing.left_out.setdefault(reason, []).append(path.name)
        else:
            listing.taken.append(path)
    listing.tell("videos or arrays")
    left_out = {name for some in listing.left_out.values() for name in some}
    return [name for name in names if PurePosixPath(name).name not in left_out]


def _make_key(url: str) -> str:
    """A name for what an address names, whoever asks for it: user and password are no part of it."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return hashlib.sha256(f"{scheme.lower()}://{host.rpartition('@')[2]}{slash}{path}".encode()).hexdigest()[:32]


def _make_place(path: str) -> str:
    """The folder and name of a copy, which runs are called by: the last two of its path, as any system takes them."""
    parts = [part for part in PurePosixPath(path).parts if part.strip("./ ")]
    folder, name = ["remote", "video", *parts][-2:] if len(parts) != 1 else ("remote", parts[0])
    return f"{_clean_name(folder)}/{_clean_name(name)}"


def _clean_name(name: str) -> str:
    clean = re.sub(r"[^\w.()+-]", "_", name).lstrip(".-") or "video"
    stem, dot, suffix = clean.rpartition(".")
    return (
        f"{stem[: LONGEST_NAME - len(suffix) - 1]}{dot}{suffix}" if stem and len(suffix) < 10 else clean[:LONGEST_NAME]
    )


@dataclass(frozen=True)
class StoredFile:
    """A file of a store that fsspec opens."""

    fs: Any
    name: str
    shown: str
    key: str
    place: str

    def open(self, held: Held) -> Body:
        """Its bytes, from where those that are held end if they are of the same version."""
        version, size = self._look()
        if version and version == held.whole:
            return Body(version, size=size, unchanged=True)
        start = held.length if version and version == held.partial and held.length < (size or 0) else 0
        return Body(version, start, size, self._read(start, version))

    def _look(self) -> tuple[str, int | None]:
        self.fs.invalidate_cache()
        info = self.fs.info(self.name)
        return next((str(info[key]) for key in VERSIONS if info.get(key)), ""), info.get("size")

    def _read(self, start: int, version: str) -> Iterator[bytes]:
        with self.fs.open(self.name, "rb", block_size=PIECE, cache_type="none") as file:
            file.seek(start)
            while piece := file.read(PIECE):
                yield piece
        if self._look()[0] != version:
            raise OSError("another version came meanwhile")


@dataclass(frozen=True)
class WebFile:
    """A file of a web server."""

    url: str = field(repr=False)
    shown: str
    key: str
    place: str

    def open(self, held: Held) -> Body:
        """What the server sends: all, what is missing, or that nothing has changed. Raises InputError."""
        from aiohttp import ClientError, RedirectClientError

        door = _Door(urlsplit(self.url).hostname or "")
        headers = {"Accept-Encoding": "identity"} | _make_conditions(held)
        try:
            file = _open_web(door).open(self.url, block_size=0, size=1, headers=headers)
        except (ClientError, OSError) as error:
            if held.partial and getattr(error, "status", None) == 416:  # what is held is as long as the file, or longer
                return self.open(Held(held.whole))
            if door.refused:
                raise InputError(
                    f"{self.shown} leads to {door.refused}, a private address; download it yourself"
                ) from None
            if isinstance(error, RedirectClientError):
                raise InputError(f"{self.shown} leads to what is no web address; download it yourself") from None
            raise
        body = _read_answer(file, held)
        return body or self.open(Held(held.whole))


def _make_conditions(held: Held) -> dict[str, str]:
    """Headers that ask for nothing where the whole is still the same, and for the rest where the part is."""
    conditions = {}
    if held.whole:
        conditions["If-None-Match" if _is_tag(held.whole) else "If-Modified-Since"] = held.whole
    if held.partial and not held.partial.startswith("W/"):
        conditions |= {"Range": f"bytes={held.length}-", "If-Range": held.partial}
    return conditions


def _is_tag(version: str) -> bool:
    return version.startswith(('"', "W/"))


def _read_answer(file: Any, held: Held) -> Body | None:
    """What an answer brings; None where it is the rest of another file than the part that is held."""
    headers, status = file.r.headers, file.r.status
    version = headers.get("ETag") or headers.get("Last-Modified") or ""
    if held.whole and (status == 304 or (version == held.whole and _is_tag(version))):
        file.close()
        return Body(held.whole, unchanged=True)
    length = int(headers["Content-Length"]) if headers.get("Content-Length", "").isdecimal() else None
    if status != 206:
        return Body(version, 0, length, _read_web(file))
    asked = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", ""))
    start = int(asked[1]) if asked else -1
    if start != held.length or version != held.partial:
        file.close()
        return None
    return Body(version, start, None if length is None else start + length, _read_web(file))


def _read_web(file: Any) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece


class _Door:
    """What may be connected to: an address that was public leads to no private one, by whichever redirect or name.

    That is looked at when the connection is made, so a name that means another machine by then does not pass.
    """

    def __init__(self, host: str) -> None:
        self.refused = ""
        self._private = any(is_private(address) for address in _find_addresses(host))

    def make_socket(self, info: tuple[Any, ...]) -> socket.socket:
        """The socket for what `getaddrinfo` has found."""
        family, kind, protocol, _, address = info
        if not self._private and is_private(address[0]):
            self.refused = str(address[0])
            raise PermissionError("a private address")
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made


def _find_addresses(host: str) -> list[str]:
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        return []


def is_private(address: str) -> bool:
    """Whether an address is of this machine or its own network."""
    found = ip_address(address)
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return not (mapped or found).is_global


def _open_web(door: _Door) -> Any:
    """fsspec's file system of web servers: as sent, without cookies, credentials of this machine or an end of time."""
    import aiohttp
    from fsspec.implementations.http import HTTPFileSystem

    async def open_client(**settings: Any) -> Any:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(socket_factory=door.make_socket),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=STALL_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            **settings,
        )

    return HTTPFileSystem(get_client=open_client, skip_instance_cache=True)
