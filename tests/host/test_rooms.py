"""The rooms of host_sdk: data flows one way, so imports only go down, and there are no circles."""

import ast

from host_sdk import paths

# From the ground up. What is not in a room (errors, files, paths) may be used by all.
ROOMS = (
    "format",
    "golden",
    "native",
    "data",
    "networks",
    "train",
    "quantize",
    "pack",
    "importing",
    "cost",
    "board",
    "evaluation",
    "report",
    "bench",
    "cli",
)
GROUND = ("__init__", "errors", "files", "paths")


def modules():
    """Return {dotted name: path} of host_sdk."""
    root = paths.repository()
    found = {}
    for path in sorted((root / "host_sdk").rglob("*.py")):
        name = ".".join(path.relative_to(root).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


def imports(path, known):
    """Return the modules of host_sdk that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports from host_sdk in full"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in known else node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name in known}


def room(name):
    """Return the height of a module's room; -1 is the ground floor."""
    part = name.split(".")[1] if "." in name else "__init__"
    return -1 if part in GROUND else ROOMS.index(part)


def test_every_module_is_in_a_room():
    for name in modules():
        if name != "host_sdk":
            assert name.split(".")[1] in ROOMS + GROUND, name


def test_no_import_goes_up():
    known = modules()
    up = [
        f"{name} -> {other}"
        for name, path in known.items()
        for other in imports(path, known)
        if room(other) > room(name)
    ]
    assert not up, "\n".join(up)


def test_there_are_no_circles():
    """Lazy imports count too: a package's __init__ may import its modules, not they it."""
    known = modules()
    graph = {name: imports(path, known) - {name} for name, path in known.items()}
    done, path = set(), []

    def visit(name):
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name in done:
            return
        path.append(name)
        for other in sorted(graph[name]):
            visit(other)
        path.pop()
        done.add(name)

    for name in graph:
        visit(name)
