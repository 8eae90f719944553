package volume_test

// project is what the team brings, and the legacy's tables.
const project = `
-- contract/volume/v1/volume.proto --
syntax = "proto3";

package volume.v1;

// OrderService keeps orders.
service OrderService {
  // GetOrder gives one order.
  rpc GetOrder(GetOrderRequest) returns (Order) {
    option idempotency_level = NO_SIDE_EFFECTS;
  }
}

// Order is an order.
message Order {
  // Identifies the order.
  int64 id = 1;
  // Whose it is.
  int64 customer = 2;
  // How often it was changed.
  int64 n = 3;
  // What was written with it.
  string body = 4;
  // What was ordered.
  repeated Line lines = 5;
}

// Line is a line of an order.
message Line {
  // What it is about.
  string sku = 1;
  // How many.
  int64 quantity = 2;
}

// GetOrderRequest asks for an order.
message GetOrderRequest {
  // The order's id.
  int64 id = 1;
}
-- sql/orders.sql --
-- event: volume.v1.Order id=id on=orders(id),order_lines(order_id) via=volume.v1.OrderService.GetOrder

-- rpc: volume.v1.OrderService.GetOrder
-- name: order :one
SELECT id, customer, n, body FROM orders WHERE id = :id;
-- name: lines :many into=lines
SELECT sku, quantity FROM order_lines WHERE order_id = :id ORDER BY id;
-- schema.sql --
CREATE TABLE orders (id BIGINT PRIMARY KEY, customer BIGINT NOT NULL, n BIGINT NOT NULL, body LONGTEXT NOT NULL) ENGINE=InnoDB;
CREATE TABLE order_lines (id BIGINT AUTO_INCREMENT PRIMARY KEY, order_id BIGINT NOT NULL, sku VARCHAR(20) NOT NULL, quantity BIGINT NOT NULL, KEY (order_id)) ENGINE=InnoDB;
CREATE TABLE untouched (id INT PRIMARY KEY) ENGINE=InnoDB;
-- banyan.yaml --
contract: {paths: [contract]}
sql: ["sql/*.sql"]
legacy: {dsn: "${BANYAN_LEGACY_DSN}"}
broker: {url: "${BANYAN_BROKER_URL}"}
ledger: {schema: "${BANYAN_LEDGER}"}
mirror: {max_memory: 32MiB, tables: [untouched], history: {max_bytes: 100MiB}}
services:
  store: {format: "${BANYAN_FORMAT}", entities: {volume.v1.Order: {key: customer}}}
shift: {fence_timeout: 30m}
listen: {rest: "127.0.0.1:0", grpc: "127.0.0.1:0", admin: "${BANYAN_ADMIN}"}
log: {level: info, format: text}
auth: {off: true}
`
