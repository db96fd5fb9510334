//! The simulated kernel, cluster and trace of packetwalk.

pub mod packet;
