// Package consumerv1 is the API of new services for people on the wire: what is generated from consumer.proto.
package consumerv1
