"""The .pyi stub says what the module does, no more and no less."""

import ast
import inspect
import pathlib

import pytest

import foldlog

STUB = pathlib.Path(foldlog.__file__).with_name("__init__.pyi")
TREE = ast.parse(STUB.read_text(encoding="utf-8"))
CLASSES = {node.name: node for node in TREE.body if isinstance(node, ast.ClassDef)}


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
    assert exported == foldlog.__all__ == sorted(CLASSES)


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
    for name in foldlog.__all__:
        cls = getattr(foldlog, name)
        assert cls.__doc__
        for member in public_members(cls):
            value = inspect.getattr_static(cls, member)
            if callable(value) or isinstance(value, (property, classmethod)):
                assert inspect.getdoc(getattr(cls, member) if callable(value) else value), member
