"""Named tensors in one safetensors file, with a checksum of everything in it.

The layout is that of safetensors: the header's length (8 bytes, little-endian), the header (JSON), the bytes
of the tensors.  It is streamed from here rather than by the library's ``save_file`` so that a full disk is an
``OSError`` like any other and no second copy is held in memory.  Any safetensors reader opens the result.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from qkvae.run.atomic import replacing
from qkvae.run.errors import DamagedPart, MissingPart, plainly

_NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_CHECKSUM, _TIED = "sha256", "tied"


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors and metadata atomically; names that share one tensor (tied weights) share its bytes.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "model.safetensors"
    >>> table = torch.eye(2)
    >>> write_tensors(path, {"embedding": table, "head": table}, {"kind": "example"})
    >>> loaded, metadata = read_tensors(path)
    >>> loaded["head"] is loaded["embedding"], metadata["kind"]
    (True, 'example')

    Raises:
        StorageError: the disk refused; the old file stays.
    """
    with replacing(path) as temporary:
        stream_tensors(temporary, tensors, metadata)


def stream_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write the file in place, without ``write_tensors``'s atomicity, for those who arrange it themselves.

    Raises:
        OSError: the disk refused.
    """
    kept, tied = _untie(tensors)
    said = {"format": "pt", **metadata}
    if tied:
        said[_TIED] = json.dumps(tied, sort_keys=True)
    header: dict[str, Any] = {"__metadata__": said}
    pieces: list[memoryview] = []
    start = 0
    # Widest elements first, as the library orders them: each tensor then starts at a multiple of its element.
    for name, tensor in sorted(kept.items(), key=lambda item: (-item[1].element_size(), item[0])):
        piece = _bytes(tensor)
        header[name] = {
            "dtype": _NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, start + len(piece)],
        }
        start += len(piece)
        pieces.append(piece)
    said[_CHECKSUM] = _checksum(header, pieces)
    text = json.dumps(header, ensure_ascii=False).encode("utf-8")
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for piece in pieces:
            file.write(piece)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors (on the CPU) and metadata that ``write_tensors`` wrote; tied names share one tensor again.

    The file is read, not mapped: it can be replaced while its tensors live, on every platform.

    Raises:
        MissingPart: there is no such file.
        DamagedPart: it is no safetensors file, or its content is not what was written.
    """
    if not path.is_file():
        raise MissingPart(f"{path} is missing: copy it back, or train again")
    with plainly(path, "read"):
        content = path.read_bytes()
    try:
        tensors = safetensors.torch.load(content)
    except (SafetensorError, KeyError) as error:
        raise DamagedPart(f"{path} is damaged ({error}): copy it back, or train again") from None
    size = int.from_bytes(content[:8], "little")
    header = cast("dict[str, Any]", json.loads(content[8 : 8 + size]))
    metadata: dict[str, str] = header.get("__metadata__", {})
    expected = metadata.pop(_CHECKSUM, None)
    if expected is None:
        raise DamagedPart(
            f"{path} bears no checksum, so it was not written by qkvae: copy the run's own file back"
        )
    if _checksum(header, [memoryview(content)[8 + size :]]) != expected:
        raise DamagedPart(
            f"{path} is damaged (its checksum does not match its content): copy it back, or train again"
        )
    for name, owner in json.loads(metadata.pop(_TIED, "{}")).items():
        tensors[name] = tensors[owner]
    return tensors, metadata


def _untie(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Each distinct tensor under the first of its names, and for the other names which one that is."""
    kept: dict[str, Tensor] = {}
    tied: dict[str, str] = {}
    owners: dict[tuple[Any, ...], str] = {}
    for name in sorted(tensors):
        tensor = tensors[name].detach()
        place = (tensor.device, tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        owner = owners.setdefault(place, name) if tensor.numel() else name
        if owner == name:
            kept[name] = tensor
        else:
            tied[name] = owner
    return kept, tied


def _bytes(tensor: Tensor) -> memoryview:
    if not math.prod(tensor.shape):
        return memoryview(b"")
    flat = tensor.cpu().contiguous().reshape(-1).view(torch.uint8)
    return flat.numpy().data


def _checksum(header: Mapping[str, Any], pieces: list[memoryview]) -> str:
    """SHA-256 of the header without its checksum, keys in order, followed by the tensors' bytes."""
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode("utf-8"))
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()
