//! The simulated kernel, cluster and trace of packetwalk.

pub mod apps;
pub mod datapath;
pub mod engine;
pub mod linux;
pub mod packet;
pub mod report;
pub mod trace;
