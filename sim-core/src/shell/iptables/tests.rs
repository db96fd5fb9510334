//! Tests of the text, both ways.
