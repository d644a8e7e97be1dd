// Package web serves HTTPS on an endpoint with net/http, within the endpoint's limits.
package web
