// Package seed brings a follow graph to a server, over HTTP and with a service
// token: one request for each user, "follow all these". Following again changes
// nothing, so a seeding that was broken off is simply done again.
package seed
