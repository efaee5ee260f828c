//! Bytes with placeholders for the numbers of keys.

/// The bytes of a request or a bucket key, with placeholders for the numbers of keys. They are
/// filled in place for each request, so memory does not grow with the number of keys.
#[derive(Clone, Debug)]
pub(super) struct Template {
    bytes: Vec<u8>,
    /// The start of each placeholder.
    starts: Vec<usize>,
    /// Digits in each placeholder.
    width: usize,
}

// === impl Template ===

impl Template {
    /// `bytes` with placeholders of `width` that end at `ends`, in ascending order.
    pub(super) fn new(bytes: Vec<u8>, ends: &[usize], width: usize) -> Self {
        Self { bytes, starts: ends.iter().map(|end| end - width).collect(), width }
    }

    /// Writes the numbers into the placeholders, in order.
    pub(super) fn fill(&mut self, numbers: impl IntoIterator<Item = u64>) {
        for (start, mut number) in self.starts.iter().zip(numbers) {
            for digit in self.bytes[*start..start + self.width].iter_mut().rev() {
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
            }
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::Template;

    #[test]
    fn numbers_replace_placeholders() {
        let mut template = Template::new(b"a000b000c".to_vec(), &[4, 8], 3);
        template.fill([7, 123]);
        assert_eq!(template.bytes(), b"a007b123c");
        template.fill([40]);
        assert_eq!(template.bytes(), b"a040b123c");
    }
}
