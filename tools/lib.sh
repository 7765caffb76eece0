# Sourced by the scripts beside it: packages, and build steps that speak only when they fail. Runs nothing by itself.
# shellcheck shell=bash disable=SC2034

repo=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

# Debian 12's names. README and CONTRIBUTING say nothing else is needed, so whatever the build uses must stand here.
packages_build=(g++ cmake ninja-build pkgconf liblmdb-dev liblz4-dev capnproto libcapnp-dev libxxhash-dev libabsl-dev libcli11-dev
                libutf8proc-dev libsqlite3-dev)
packages_test=(libgtest-dev libgmock-dev libbenchmark-dev nlohmann-json3-dev python3 sqlite3 clang-format
               lmdb-utils python3-lz4 python3-xxhash valgrind)
# What the benchmarks compare with; each is left out where it is missing.
packages_peers=(librocksdb-dev libleveldb-dev libdb5.3-dev libwiredtiger-dev)
packages_plots=(gnuplot-nox)
packages_module=(pybind11-dev python3-dev)
packages_python=("${packages_module[@]}" python3-pytest)
packages_coverage=(gcovr)
packages_tidy=(clang-tidy)
# With the runtime of libFuzzer and the sanitizers, which clang only recommends, and what names the lines of a finding.
packages_fuzz=(clang libclang-rt-14-dev llvm)

say() { printf '%s\n' "$*"; }
warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { warn "$@"; exit 1; }

# seconds_since START: from one $EPOCHREALTIME to now, with one decimal, in any locale.
seconds_since() {
  local now=${EPOCHREALTIME/[.,]/} start=${1/[.,]/}
  local tenths=$(((now - start) / 100000))
  printf '%d.%d' $((tenths / 10)) $((tenths % 10))
}

# quietly NOTE COMMAND...: says the note and how long the command took; its output stays in build/logs and is shown only
# if the command fails. How far it has come is shown if it says so as Ninja does, by lines that begin with [N/M].
quietly() {
  local note=$1 start=$EPOCHREALTIME status=0
  shift
  mkdir -p "$repo/build/logs"
  local log="$repo/build/logs/${note//[^[:alnum:]]/-}.log"
  printf '%s ...' "$note"
  "$@" 2>&1 </dev/null | tee -- "$log" | show_progress || status=${PIPESTATUS[0]}
  if ((status == 0)); then
    printf ' %s s\n' "$(seconds_since "$start")"
    return 0
  fi
  printf ' failed after %s s\n' "$(seconds_since "$start")"
  sed '/^\[[0-9]*\/[0-9]*\] /d' -- "$log" >&2
  warn "$note failed; the output above is also in $log"
  return "$status"
}

# Of the lines on standard input, what each [N/M] comes to: on a terminal in one place, elsewhere each tenth once.
show_progress() {
  local line percent last=0 shown=
  while IFS= read -r line; do
    [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]] || continue
    percent=$((100 * BASH_REMATCH[1] / BASH_REMATCH[2]))
    if [[ -t 1 ]]; then
      # Over what was shown before.
      printf '%s' "${shown//?/$'\b'}"
      shown=$(printf ' %3d %%, %d of %d steps' "$percent" "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}")
      printf '%s' "$shown"
    elif ((percent / 10 > last)); then
      last=$((percent / 10))
      printf ' %d %%' "$((10 * last))"
    fi
  done
}

on_debian_12() {
  [[ -r /etc/os-release ]] && (. /etc/os-release && [[ ${ID:-} == debian && ${VERSION_ID:-} == 12 ]])
}

# find_missing NAME...: sets `missing` to those that are not installed. Here and elsewhere no process substitution: it
# needs /dev/fd, and with it /proc, which a bare root may lack.
find_missing() {
  local installed name
  missing=()
  installed=" $(dpkg-query -W -f '${db:Status-Status}:${Package} ' "$@" 2>/dev/null || true)"
  for name; do
    [[ $installed == *" installed:$name "* ]] || missing+=("$name")
  done
}

# Runs apt-get as root. Without a pty, because a bare root may lack /dev/pts; with sbin, which a plain `su` leaves out of
# PATH and sudo provides.
apt_get() {
  local -a as_root=(env PATH="$PATH:/usr/sbin:/sbin")
  if ((EUID != 0)); then as_root=(sudo env); fi
  "${as_root[@]}" DEBIAN_FRONTEND=noninteractive LC_ALL=C \
    apt-get -y -q -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 "$@"
}

# An update may fail for a source that has nothing to do with us; then the installation decides.
apt_get_install() {
  apt_get update || echo "apt-get update failed; trying with the package lists at hand"
  apt_get install --no-install-recommends "$@"
}

# install_packages NAME...: installs what is missing, if anything.
install_packages() {
  if ! command -v dpkg-query >/dev/null; then
    warn "this is not Debian, so the packages cannot be checked. Going on; needed are the equivalents of: $*"
    return 0
  fi
  local -a missing
  find_missing "$@"
  if ((${#missing[@]} == 0)); then
    on_debian_12 || warn "this is not Debian 12, where foldlog is built and tested. Going on: every package is there"
    return 0
  fi
  on_debian_12 ||
    die "this is not Debian 12, so nothing is installed. Missing, under Debian's names: ${missing[*]}"
  if ((EUID != 0)); then
    local -a ask=()
    [[ -t 0 ]] || ask=(-n)
    if ! command -v sudo >/dev/null || ! sudo "${ask[@]}" true; then
      die "packages are missing, and neither root nor sudo is at hand. As root, run:" \
          "apt-get install --no-install-recommends ${missing[*]}"
    fi
  fi
  quietly "Installing ${#missing[@]} packages" apt_get_install "${missing[@]}" ||
    die "these packages could not be installed: ${missing[*]}"
}

# configured PRESET [NAME=VALUE...]: whether build/PRESET was configured in this place, by the present presets, and with
# these cache values.
configured() {
  local dir="$repo/build/$1" home value
  shift
  [[ -f $dir/build.ninja && -f $dir/CMakeCache.txt ]] || return 1
  [[ ! $repo/CMakePresets.json -nt $dir/build.ninja ]] || return 1
  home=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$dir/CMakeCache.txt")
  [[ $home -ef $repo ]] || return 1
  for value; do
    grep -qxF "${value%%=*}:BOOL=${value#*=}" "$dir/CMakeCache.txt" || return 1
  done
}

# knows_peers PRESET: whether none was missing when it was configured. Those that are installed since would be left out.
knows_peers() {
  ! grep -q '^[A-Z_]*_LIBRARY:FILEPATH=.*-NOTFOUND$' "$repo/build/$1/CMakeCache.txt"
}

# configure PRESET [-DNAME=VALUE...]: from scratch, so that nothing remembered from before is in the way.
configure() {
  local preset=$1
  shift
  (cd -- "$repo" && cmake --fresh --preset "$preset" "$@")
}

# build PRESET [TARGET...]: incremental. Stops at the first error, or, if `keep_going` is set, at none.
build() {
  local -a targets=()
  if (($# > 1)); then targets=(--target "${@:2}"); fi
  (cd -- "$repo" &&
    NINJA_STATUS='[%f/%t] ' cmake --build "--preset=$1" -j "$(nproc)" "${targets[@]}" -- ${keep_going:+-k 0})
}
