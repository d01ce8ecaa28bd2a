//! Mode `in-container` against the threats that it claims (rows 1-5, 22-25 and 28): each attack first runs unfenced and must
//! reach the sink, then fenced: zero packets.

mod faults;
mod range;
mod rows;
