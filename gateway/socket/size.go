package socket

import "unsafe"

// Size is the bytes of one Socket itself, without the library's state and the
// link's.
const Size = unsafe.Sizeof(Socket{})
