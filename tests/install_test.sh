#!/usr/bin/env bash
# Installs a build, moves the installed tree elsewhere, and builds and runs consumer/ against it in the two ways that
# users have: find_package and pkg-config.
#
# Usage: install_test.sh BUILD_DIR
set -euo pipefail

build=$1
tests=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d -- "${TMPDIR:-/tmp}/foldlog-install.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
prefix=$work/moved

fail() { printf 'install_test: %s\n' "$*" >&2; exit 1; }

expect_output() {  # expect_output WANTED COMMAND...
  local wanted=$1 output
  shift
  output=$("$@")
  [[ $output == "$wanted" ]] || fail "'$*' printed '$output', not '$wanted'"
}

cmake --install "$build" --prefix "$work/installed" >"$work/install.log"
mv -- "$work/installed" "$prefix"

echo "Installed files name neither the build nor the place they were installed to"
source=$(dirname -- "$tests")
if grep -rIlF -e "$work/installed" -e "$source" -- "$prefix"; then fail "the files above do"; fi

echo "A build that lacks the program and the module is installed without them, and says so"
find "$build" -name cmake_install.cmake | while read -r script; do
  copy=$work/partial/${script#"$build"/}
  mkdir -p -- "${copy%/*}"
  sed -E -e "s|\"$build/([^\"]*)cmake_install.cmake|\"$work/partial/\\1cmake_install.cmake|" \
    -e "s#$build/(foldlog|python/foldlog/_foldlog[^\"]*)\"#$build/not-there\"#" -- "$script" >"$copy"
done
cmake "-DCMAKE_INSTALL_PREFIX=$work/less" -P "$work/partial/cmake_install.cmake" >"$work/partial.log" 2>&1 ||
  { cat -- "$work/partial.log"; fail "it could not be installed"; }
for what in "the program foldlog" "the Python module"; do
  grep -q "Left out: $what.*cmake" "$work/partial.log" || { cat -- "$work/partial.log"; fail "no word of $what"; }
  if [[ $what == *module* ]] && ! grep -q '^FOLDLOG_BUILD_PYTHON:BOOL=ON' "$build/CMakeCache.txt"; then continue; fi
  if grep -q "Left out: $what" "$work/install.log"; then fail "$what is said to be left out, and is not"; fi
done
[[ -z $(find "$work/less" -name 'foldlog' -type f) && -z $(find "$work/less" -name '*.py') ]] || fail "they are there"
[[ -f $work/less/include/foldlog/engine.h ]] || fail "nothing else is there, either"

echo "Public headers, comments apart, know no storage and no codec"
headers=("$prefix"/include/foldlog/*.h)
[[ -f ${headers[0]} ]] || fail "no headers were installed"
for header in "${headers[@]}"; do
  if sed 's|//.*||' "$header" | grep -niE 'lmdb|mdb_|capnp|kj/|kj::|sqlite|nats|nlohmann'; then
    fail "$header does, in the lines above"
  fi
done

echo "The formats are there for readers without the library"
for file in event.capnp state.capnp FORMAT.md; do
  [[ -n $(find "$prefix/share" -name "$file" -size +0) ]] || fail "no $file"
done

echo "The program runs"
"$prefix/bin/foldlog" --help >"$work/help"

echo "The Python module is where Debian's Python looks under /usr/local, and works"
python_dir=$(sed -n 's/^FOLDLOG_PYTHON_INSTALL_DIR:STRING=//p' "$build/CMakeCache.txt")
if [[ -n $python_dir ]]; then
  /usr/bin/python3 -c "import site, sys; sys.exit(sys.argv[1] not in site.getsitepackages())" "/usr/local/$python_dir" ||
    fail "Python does not look into /usr/local/$python_dir"
  PYTHONPATH=$prefix/$python_dir /usr/bin/python3 -B -c \
    "import foldlog, sys; foldlog.IndexingStateManager(sys.argv[1]).start_operation('initial')" "$work/log0"
  "$prefix/bin/foldlog" status --log "$work/log0" >"$work/status"
fi

echo "find_package, in a project with C++ alone"
cmake -G Ninja -S "$tests/consumer" -B "$work/consumer" -DCMAKE_PREFIX_PATH="$prefix" >"$work/configure.log" ||
  { cat -- "$work/configure.log"; fail "find_package(foldlog) failed"; }
cmake --build "$work/consumer"
expect_output "completed 2 of 2" "$work/consumer/consumer" "$work/log1"

echo "pkg-config, without --static"
pc=$(find "$prefix" -name foldlog.pc)
flags=$(PKG_CONFIG_PATH=$(dirname -- "$pc") pkg-config --cflags --libs foldlog)
read -r -a flags <<<"$flags"
"${CXX:-g++}" "$tests/consumer/main.cc" "${flags[@]}" -o "$work/by_pkg_config"
expect_output "completed 2 of 2" "$work/by_pkg_config" "$work/log2"
