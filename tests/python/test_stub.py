"""The .pyi stub says what the module does, no more and no less."""

import ast
import inspect
import pathlib

import pytest

import foldlog

STUB = pathlib.Path(foldlog.__file__).with_name("__init__.pyi")
TREE = ast.parse(STUB.read_text(encoding="utf-8"))
ALL_CLASSES = {node.name: node for node in TREE.body if isinstance(node, ast.ClassDef)}
CLASSES = {name: node for name, node in ALL_CLASSES.items() if not name.endswith("Dict")}


def functions(node):
    return {item.name: item for item in node.body if isinstance(item, ast.FunctionDef)}


def parameters_in_stub(function):
    """[(name, kind, default)], with the text of the default or None."""
    arguments = function.args
    positional = arguments.posonlyargs + arguments.args
    defaults = [None] * (len(positional) - len(arguments.defaults)) + arguments.defaults
    pairs = [(argument.arg, "positional", default) for argument, default in zip(positional, defaults)]
    pairs += [(argument.arg, "keyword", default)
              for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults)]
    return [(name, kind, None if default is None else repr(ast.literal_eval(default))) for name, kind, default in pairs]


def parameters_in_module(function):
    kinds = {inspect.Parameter.POSITIONAL_OR_KEYWORD: "positional", inspect.Parameter.POSITIONAL_ONLY: "positional",
             inspect.Parameter.KEYWORD_ONLY: "keyword"}
    return [(p.name, kinds[p.kind], None if p.default is p.empty else repr(p.default))
            for p in inspect.signature(function).parameters.values()]


def public_members(cls):
    """What callers may use of a class of the package: its own members and those it has from the extension module."""
    return {name for base in cls.__mro__ if base.__module__.startswith("foldlog") for name in vars(base)
            if not name.startswith("_")}


def test_the_stub_exports_what_the_module_exports():
    exported = next(ast.literal_eval(node.value) for node in TREE.body
                    if isinstance(node, ast.Assign) and node.targets[0].id == "__all__")
    assert exported == foldlog.__all__ == sorted(CLASSES) + ["__version__"]


def test_the_version_is_that_of_the_project():
    project = (pathlib.Path(__file__).parents[2] / "CMakeLists.txt").read_text(encoding="utf-8")
    assert f"project(foldlog VERSION {foldlog.__version__} " in project


def dict_in_stub(name):
    """The keys of a TypedDict: those that are always there, and the others."""
    node = ALL_CLASSES[name]
    always, others = set(), set()
    for base in node.bases:
        if base.id != "TypedDict":
            inherited = dict_in_stub(base.id)
            always, others = always | inherited[0], others | inherited[1]
    for item in node.body:
        required = not (isinstance(item.annotation, ast.Subscript) and item.annotation.value.id == "NotRequired")
        (always if required else others).add(item.target.id)
    return always, others


def assert_is(name, value):
    always, others = dict_in_stub(name)
    assert always <= value.keys() <= always | others, name


def test_dicts_have_the_keys_of_the_stub(tmp_path):
    seen = set()
    with foldlog.IndexingStateManager(tmp_path / "log") as manager:
        operation = manager.start_operation(foldlog.IndexingOperationType.INITIAL, total_files=3, roots=["/a"])
        manager.update_checkpoint(operation, 1, "/a", "/a/b", {"path": "/a/c", "error": "bad"}, 7)
        assert_is("RowDict", manager.row())
        assert_is("ActiveDict", manager.get_active_operation())
        manager.pause_operation(operation)
        manager.resume_operation(operation)
        manager.complete_operation(operation, {"n": 1})
        manager.clear_completed_operation()
        manager.fail_operation(manager.start_operation(foldlog.IndexingOperationType.INITIAL), "bad")
        manager.reset()
        for event in manager.events():
            assert_is("EventDict", event)
            seen |= event.keys()
        for entry in manager.history():
            assert_is("HistoryDict", entry)
            assert_is("OwnerDict", entry["owner"])
        assert_is("StatusDict", manager.status())
        assert_is("StateDict", manager.state_at(sequence=2))
    # What is left is of imports and recoveries.
    assert set().union(*dict_in_stub("EventDict")) - seen == {
        "clock_step_s", "evidence", "status", "rate", "started_at", "last_update", "updated_at", "ended_at", "errors", "source",
        "row"}


def test_the_package_is_marked_as_typed():
    assert STUB.with_name("py.typed").exists()


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_a_class_has_the_members_that_the_stub_gives_it(name):
    stub, cls = CLASSES[name], getattr(foldlog, name)
    in_stub = {item.name for item in stub.body if isinstance(item, ast.FunctionDef)}
    in_stub |= {item.target.id for item in stub.body if isinstance(item, ast.AnnAssign)}
    in_stub |= {target.id for item in stub.body if isinstance(item, ast.Assign) for target in item.targets}
    fields = set(getattr(cls, "__dataclass_fields__", ()))
    assert {member for member in in_stub if not member.startswith("_")} == public_members(cls) | fields


@pytest.mark.parametrize("cls, function", [
    (name, function) for name in sorted(CLASSES) for function in functions(CLASSES[name])])
def test_a_method_has_the_parameters_that_the_stub_gives_it(cls, function):
    stub, real = functions(CLASSES[cls])[function], inspect.getattr_static(getattr(foldlog, cls), function)
    if isinstance(real, property):
        assert any(isinstance(d, ast.Name) and d.id == "property" for d in stub.decorator_list)
        return
    real = real.__func__ if isinstance(real, classmethod) else getattr(getattr(foldlog, cls), function)
    assert parameters_in_stub(stub) == parameters_in_module(real)


def test_members_of_enums_are_those_of_the_stub():
    for name in ("IndexingStatus", "IndexingOperationType"):
        stub = {item.targets[0].id: ast.literal_eval(item.value) for item in CLASSES[name].body}
        assert stub == {member.name: member.value for member in getattr(foldlog, name)}


def test_everything_public_has_a_docstring():
    for name in CLASSES:
        cls = getattr(foldlog, name)
        assert cls.__doc__
        for member in public_members(cls):
            value = inspect.getattr_static(cls, member)
            if callable(value) or isinstance(value, (property, classmethod)):
                assert inspect.getdoc(getattr(cls, member) if callable(value) else value), member
