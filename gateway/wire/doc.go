// Package wire is the protocol's bytes: what stands in a frame, and nothing
// about when it is sent. It does no I/O and knows neither sockets nor shards.
//
// Subprotocol feedgate.v1.json, one JSON object per text frame:
//
//	client → server
//	  {"id":7,"op":"publish","text":"…","ack":1043}   a request; "ack" may stand in any frame
//	  {"ack":1043}                                    no reply
//
//	server → client
//	  {"re":7,"ok":{…}}                               a result
//	  {"re":7,"error":{"code":"…","message":"…","retryable":true,"retry_ms":800}}
//	  {"n":1043,"unread":{…},"event":{"type":"post",…}}
//	  {"n":1044,"event":{"type":"void"}}              a withdrawn event's number
//	  {"unread":{"feed":4,"notifications":1,"messages":0,"v":881}}
//	  {"hb":1043}
//	  {"reset":{"stream":"b1","n":0,"reason":"view_rebuilt"},"unread":{…}}
//	  {"typing":{"conversation":"77","user":"bob"}}   these two without a number: dropped when a socket is behind
//	  {"presence":{"user":"bob","online":false,"seen":"…"}}
//	  {"bye":{"code":4200,"reason":"draining","retry_ms":500,"spread_ms":5000}}
//
// An event's frame is a head, made for each recipient, and a body, encoded once
// for all of them:
//
//	{"n":1043,"unread":{"feed":4,"notifications":1,"messages":0,"v":881},"event": │ {"type":"post",…}}
//	                     AppendHead, no allocation                                │ AppendBody, shared
//
// A Codec is one subprotocol; ok objects (object.go) are JSON in all of them and
// over HTTP. Decoding is lenient about what it does not know and strict about
// what it does: see Request. client.go is the other end, for load generators and
// tests.
package wire
