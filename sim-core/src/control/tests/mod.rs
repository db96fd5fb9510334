//! The controllers on kernels of their own: every action is applied as the engine applies it, packets aside.

mod chain;
mod flannel;
mod ipam;
mod lab;
mod pods;
