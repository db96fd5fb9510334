//! The simulated kernel, cluster and trace of packetwalk.

pub mod apps;
pub mod control;
pub mod datapath;
pub mod engine;
pub mod kube;
pub mod linux;
pub mod packet;
pub mod report;
pub mod shell;
pub mod trace;
