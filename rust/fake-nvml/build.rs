//! Gives the library the name that NVML's clients ask the loader for: once loaded from anywhere, it is what
//! `dlopen("libnvidia-ml.so.1")` finds.

fn main() {
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libnvidia-ml.so.1");
    println!("cargo::rerun-if-changed=build.rs");
}
