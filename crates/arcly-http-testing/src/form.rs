//! Forms with files, as browsers send them.

use bytes::{BufMut as _, Bytes, BytesMut};

/// A `multipart/form-data` body (RFC 7578) for [`crate::TestRequest::multipart`].
///
/// ```
/// use arcly_http_testing::TestForm;
/// let form = TestForm::new().text("title", "Cat").file("photo", "cat.png", "image/png", b"PNG");
/// # let _ = form;
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a form does nothing before a request sends it"]
pub struct TestForm(BytesMut);

const BOUNDARY: &str = "----arcly-http-testing-5f2c1a9e7b";

impl TestForm {
    /// A form without parts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text.
    pub fn text(self, name: &str, value: &str) -> Self {
        self.part(&format!("name=\"{}\"", quoted(name)), "", value.as_bytes())
    }

    /// Adds a file.
    pub fn file(self, name: &str, file_name: &str, media_type: &str, body: &[u8]) -> Self {
        let disposition = format!("name=\"{}\"; filename=\"{}\"", quoted(name), quoted(file_name));
        self.part(&disposition, &format!("Content-Type: {media_type}\r\n"), body)
    }

    fn part(mut self, disposition: &str, headers: &str, body: &[u8]) -> Self {
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n{headers}\r\n"
        );
        self.0.put_slice(head.as_bytes());
        self.0.put_slice(body);
        self.0.put_slice(b"\r\n");
        self
    }

    /// Media type and bytes.
    pub(crate) fn finish(mut self) -> (String, Bytes) {
        self.0.put_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        (format!("multipart/form-data; boundary={BOUNDARY}"), self.0.freeze())
    }
}

/// As browsers escape names (WHATWG HTML, multipart form data).
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}
