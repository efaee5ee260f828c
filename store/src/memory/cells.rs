//! Buckets and their keys, in cells of equal size.
//!
//! Keys have any length, and an allocator keeps a page for as long as one block in it is in use. A
//! bucket in cells leaves room for any other, so memory is never held by keys that are gone, and
//! what is used can be counted. Cells never move, and there is no table that doubles.

use rl_bucket::Bucket;

/// The cells of one shard, in chunks that are never given back.
#[derive(Default)]
pub(super) struct Cells {
    chunks: Vec<Box<[Cell; CHUNK_LEN]>>,
    /// The first free cell, or [`NONE`].
    free: u32,
    free_len: usize,
}

/// A cell: unused, the first of a bucket, or a later piece of its key.
enum Cell {
    Free {
        next: u32,
    },
    Head {
        name: [u8; HEAD_LEN],
        name_len: u32,
        hash: u32,
        /// The next bucket of the same slot, or [`NONE`].
        next_bucket: u32,
        /// The cell in which the name continues, or [`NONE`].
        rest: u32,
        bucket: Bucket,
    },
    Rest {
        name: [u8; REST_LEN],
        rest: u32,
    },
}

/// The position of no cell.
pub(super) const NONE: u32 = u32::MAX;
/// Cells in a chunk.
pub(super) const CHUNK_LEN: usize = 64;
/// Bytes of a chunk, with its pointer, which is there three times while the list of chunks grows.
pub(super) const CHUNK_BYTES: usize = size_of::<[Cell; CHUNK_LEN]>() + 3 * size_of::<usize>();
/// Bytes of a name in the first cell of a bucket, and in each other.
const HEAD_LEN: usize = 23;
const REST_LEN: usize = 59;

const _: () = assert!(size_of::<Cell>() == 64, "a cell is one cache line");

// === impl Cells ===

impl Cells {
    /// The number of cells that a bucket with this name takes.
    pub(super) fn needed(name: &[u8]) -> usize {
        1 + name.len().saturating_sub(HEAD_LEN).div_ceil(REST_LEN)
    }

    /// The number of chunks.
    pub(super) fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// The number of cells, free ones included.
    pub(super) fn len(&self) -> usize {
        self.chunks.len() * CHUNK_LEN
    }

    pub(super) fn free_len(&self) -> usize {
        self.free_len
    }

    /// Adds a chunk of free cells.
    pub(super) fn grow(&mut self) {
        let first = self.len() as u32;
        let before = if self.free_len == 0 { NONE } else { self.free };
        let chunk = std::array::from_fn(|at| Cell::Free {
            next: if at + 1 < CHUNK_LEN { first + at as u32 + 1 } else { before },
        });
        self.chunks.push(Box::new(chunk));
        self.free = first;
        self.free_len += CHUNK_LEN;
    }

    /// Stores a bucket before `next_bucket` in its slot, and returns its position.
    pub(super) fn insert(
        &mut self,
        name: &[u8],
        hash: u32,
        bucket: Bucket,
        next_bucket: u32,
    ) -> u32 {
        let (head, rest) = name.split_at(name.len().min(HEAD_LEN));
        let mut next = NONE;
        for piece in rest.chunks(REST_LEN).rev() {
            next = self.take(Cell::Rest { name: padded(piece), rest: next });
        }
        let name_len = name.len() as u32;
        self.take(Cell::Head {
            name: padded(head),
            name_len,
            hash,
            next_bucket,
            rest: next,
            bucket,
        })
    }

    /// Frees the cells of the bucket at `at`.
    pub(super) fn remove(&mut self, at: u32) {
        let mut next = at;
        while next != NONE {
            let free = if self.free_len == 0 { NONE } else { self.free };
            let cell = self.cell_mut(next);
            let after = match cell {
                Cell::Head { rest, .. } | Cell::Rest { rest, .. } => *rest,
                Cell::Free { .. } => NONE,
            };
            *cell = Cell::Free { next: free };
            self.free = next;
            self.free_len += 1;
            next = after;
        }
    }

    /// The position of the bucket with this name in the slot that begins with `first`.
    pub(super) fn find(&self, first: u32, name: &[u8], hash: u32) -> Option<u32> {
        let mut at = first;
        while at != NONE {
            let Cell::Head { name: head, name_len, hash: other, next_bucket, rest, .. } =
                self.cell(at)
            else {
                return None;
            };
            if *other == hash && *name_len as usize == name.len() && self.is(head, *rest, name) {
                return Some(at);
            }
            at = *next_bucket;
        }
        None
    }

    /// The bucket that begins at `at`; `None` if none does.
    pub(super) fn bucket(&self, at: u32) -> Option<&Bucket> {
        match self.cell(at) {
            Cell::Head { bucket, .. } => Some(bucket),
            _ => None,
        }
    }

    pub(super) fn bucket_mut(&mut self, at: u32) -> Option<&mut Bucket> {
        match self.cell_mut(at) {
            Cell::Head { bucket, .. } => Some(bucket),
            _ => None,
        }
    }

    /// The hash of the bucket at `at`, and the next bucket of its slot.
    pub(super) fn link(&self, at: u32) -> (u32, u32) {
        match self.cell(at) {
            Cell::Head { hash, next_bucket, .. } => (*hash, *next_bucket),
            _ => (0, NONE),
        }
    }

    /// Changes the next bucket of the one at `at`.
    pub(super) fn set_next(&mut self, at: u32, next: u32) {
        if let Cell::Head { next_bucket, .. } = self.cell_mut(at) {
            *next_bucket = next;
        }
    }

    /// The first bucket that begins at `start` or after it; from the end on, at the beginning.
    pub(super) fn bucket_from(&self, start: u32) -> Option<(u32, &Bucket)> {
        let mut positions = (start..self.len() as u32).chain(0..start);
        positions.find_map(|at| Some((at, self.bucket(at)?)))
    }

    /// Whether a name is `name`, of the same length: its beginning, and the cell that continues it.
    fn is(&self, head: &[u8; HEAD_LEN], rest: u32, name: &[u8]) -> bool {
        // Pieces of a fixed length are compared without a call.
        let Some((first, mut others)) = name.split_first_chunk() else {
            return head[..name.len()] == *name;
        };
        let mut next = rest;
        let mut is_equal = head == first;
        while is_equal && !others.is_empty() {
            let Cell::Rest { name, rest } = self.cell(next) else { return false };
            (is_equal, others) = match others.split_first_chunk() {
                Some((piece, more)) => (name == piece, more),
                None => (name[..others.len()] == *others, &others[..0]),
            };
            next = *rest;
        }
        is_equal
    }

    /// Puts `cell` into a free one, and returns its position.
    fn take(&mut self, cell: Cell) -> u32 {
        if self.free_len == 0 {
            self.grow();
        }
        let at = self.free;
        let free = self.cell_mut(at);
        let next = if let Cell::Free { next } = free { *next } else { NONE };
        *free = cell;
        self.free = next;
        self.free_len -= 1;
        at
    }

    fn cell(&self, at: u32) -> &Cell {
        &self.chunks[at as usize / CHUNK_LEN][at as usize % CHUNK_LEN]
    }

    fn cell_mut(&mut self, at: u32) -> &mut Cell {
        &mut self.chunks[at as usize / CHUNK_LEN][at as usize % CHUNK_LEN]
    }
}

/// The bytes, then zeros.
fn padded<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut padded = [0; N];
    padded[..bytes.len()].copy_from_slice(bytes);
    padded
}

#[cfg(test)]
mod tests {
    use rl_bucket::{Bucket, Cost, Level, Limit, Micros};

    use super::{Cells, NONE};

    fn bucket() -> Bucket {
        let limit = Limit::parse("2", "1").unwrap();
        Level::at(None, &limit, Micros::new(1_700_000_000_000_000)).check(Cost::ONE).write.unwrap()
    }

    #[test]
    fn names_of_every_length_are_told_apart_and_leave_their_cells() {
        let mut cells = Cells::default();
        for len in [0_usize, 1, 22, 23, 24, 81, 82, 83, 141, 1100, 5000] {
            let name: Vec<u8> = (0..len).map(|at| at as u8).collect();
            let at = cells.insert(&name, 7, bucket(), NONE);
            let used = cells.len() - cells.free_len();
            assert_eq!(used, Cells::needed(&name), "{len} bytes");
            assert_eq!(cells.find(at, &name, 7), Some(at));
            assert_eq!(cells.find(at, &name, 8), None, "another hash");
            for place in [0, len / 2, len.saturating_sub(1)] {
                let mut other = name.clone();
                if let Some(byte) = other.get_mut(place) {
                    *byte ^= 1;
                    assert_eq!(cells.find(at, &other, 7), None, "{len} bytes, {place} differs");
                }
            }
            assert_eq!(cells.find(at, &[name.as_slice(), &[0]].concat(), 7), None);
            cells.remove(at);
            assert_eq!(cells.free_len(), cells.len(), "{len} bytes");
            assert_eq!(cells.bucket(at), None);
        }
        assert!(cells.len() <= 128, "cells are used again: {}", cells.len());
    }
}
