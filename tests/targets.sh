#!/bin/sh
# Compiles the programs with the oldest Rust they support, for machines other than this one, and runs
# them there: the chat on each, the unit tests on the one that is least like this one (32-bit, big-endian).
# Rust is Debian's, which has its std for ARM, and the source of it for the others. It is unpacked below
# target/, since installed it would take the place of the compiler in use; what links and emulates is
# installed where it may be (root on Debian). What cannot be had is left out, and said plainly.
set -eu
cd "$(dirname "$0")/.."
rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
llvm=19 # of that Rust
work=$PWD/target/targets
root=$work/root
skip() {
    echo "left out: $*"
    exit 0
}

missing() {
    for program in powerpc-linux-gnu-gcc aarch64-linux-gnu-gcc arm-linux-gnueabihf-gcc qemu-ppc; do
        command -v $program >/dev/null || printf '%s ' $program
    done
}

# Other machines' packages are known only to this apt, whose state is below target/.
fetch() {
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
    cat >"$work/apt.conf" <<EOF
APT::Architectures { "amd64"; "arm64"; "armhf"; };
APT::Sandbox::User "root";
Debug::NoLocking "1";
Dir::State::lists "$work/lists";
Dir::Cache "$work/cache";
EOF
    export APT_CONFIG="$work/apt.conf"
    apt-get update -qq || echo "going on without those lists of packages"
    version=$(apt-cache madison rustc-web | sed -n "s/.*| *\($rust\.[^ ]*\) .*/\1/p" | head -n 1)
    [ -n "$version" ] || skip "all targets, since Debian's packages here lack Rust $rust (rustc-web)"
    apt-get install -qq -y --no-install-recommends --download-only \
        "rustc-web=$version" "cargo-web=$version" "libstd-rust-web-dev=$version" "rust-web-src=$version" \
        libunwind-$llvm-dev musl-dev
    (cd "$work/cache/archives" && apt-get download -qq \
        "libstd-rust-web-dev:arm64=$version" "libstd-rust-web-dev:armhf=$version" musl-dev)
    unset APT_CONFIG
    for package in "$work"/cache/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$package" |
            tar -x -C "$root" --no-wildcards-match-slash --exclude='./usr/src/*/src' --exclude='./usr/src/*/compiler'
    done
    rm -r "$work/cache"
}

# What rustc looks for beside std when it links with musl: its C library, and LLVM's unwinder, since
# GCC's asks glibc for the tables of a function.
place_musl() {
    place=$root/usr/lib/rustlib/x86_64-unknown-linux-musl/lib/self-contained
    mkdir -p "$place"
    cp "$root"/usr/lib/x86_64-linux-musl/*crt*.o "$root"/usr/lib/x86_64-linux-musl/libc.a \
        "$root/usr/lib/llvm-$llvm/lib/libunwind.a" "$place"
    for part in crtbegin crtbeginS crtend crtendS; do
        cp "$(gcc -print-file-name=$part.o)" "$place"
    done
}

if [ "$(uname -m)" != x86_64 ] || ! command -v apt-get >/dev/null; then
    skip "all targets: their compiler is for Debian on x86-64"
fi
if [ -n "$(missing)" ] && [ "$(id -u)" = 0 ]; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -qq -y --no-install-recommends \
        gcc-powerpc-linux-gnu libc6-dev-powerpc-cross gcc-aarch64-linux-gnu libc6-dev-arm64-cross \
        gcc-arm-linux-gnueabihf libc6-dev-armhf-cross qemu-user >/dev/null
fi
[ -z "$(missing)" ] || skip "all targets, since these are not installed: $(missing)"
if ! [ -e "$root/complete" ]; then
    rm -rf "$root" && mkdir -p "$root"
    fetch
    place_musl
    touch "$root/complete"
fi

export PATH="$root/usr/bin:$PATH"
export LD_LIBRARY_PATH="$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu"
export CARGO_TARGET_DIR="$work/build" CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_OPT_LEVEL=0
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_ARMV7_UNKNOWN_LINUX_GNUEABIHF_LINKER=arm-linux-gnueabihf-gcc
export CARGO_TARGET_POWERPC_UNKNOWN_LINUX_GNU_LINKER=powerpc-linux-gnu-gcc
export CARGO_TARGET_POWERPC_UNKNOWN_LINUX_GNU_RUNNER="qemu-ppc -L /usr/powerpc-linux-gnu"
# Debian's unwinder prints with a function of glibc: what it dies of, and what LIBUNWIND_PRINT_* asks for.
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS="-C link-arg=-Wl,--defsym=__fprintf_chk=abort"

# Builds the programs for a target and has people talk in its chat, under the emulator that follows.
try() {
    target=$1
    shift
    echo "== $target"
    cargo build --quiet --locked --bins --target "$target" $std
    python3 tests/talk.py "$@" "$CARGO_TARGET_DIR/$target/debug/chat"
}

echo "== Rust $rust"
cargo check --quiet --locked --workspace --all-targets --features relay,paused-clock
std=
try aarch64-unknown-linux-gnu qemu-aarch64 -L /usr/aarch64-linux-gnu
try armv7-unknown-linux-gnueabihf qemu-arm -L /usr/arm-linux-gnueabihf
std=-Zbuild-std
export RUSTC_BOOTSTRAP=1 # lets a released cargo build std
try x86_64-unknown-linux-musl
export CARGO_PROFILE_DEV_OPT_LEVEL=1 # an emulator is slow enough
try powerpc-unknown-linux-gnu qemu-ppc -L /usr/powerpc-linux-gnu
# QEMU has no sock_diag(7), which one test is about.
PROPTEST_CASES=4 cargo test --quiet --locked --lib --target powerpc-unknown-linux-gnu $std -- \
    --skip the_kernel_tells_what_a_peer_has_not_taken
