-- rpc: sakila.v1.RentalService.GetRental
-- name: rental :one
SELECT r.rental_id AS id, f.title AS film, r.rental_date AS rent_time, r.return_date AS return_time,
       c.customer_id AS "customer.id", CONCAT(c.first_name, ' ', c.last_name) AS "customer.name",
       a.address AS "customer.address.street", a.district AS "customer.address.district",
       ci.city AS "customer.address.city", co.country AS "customer.address.country"
  FROM rental r
  JOIN inventory i ON i.inventory_id = r.inventory_id
  JOIN film f ON f.film_id = i.film_id
  JOIN customer c ON c.customer_id = r.customer_id
  JOIN address a ON a.address_id = c.address_id
  JOIN city ci ON ci.city_id = a.city_id
  JOIN country co ON co.country_id = ci.country_id
 WHERE r.rental_id = :id;
-- name: payments :many into=payments
SELECT p.payment_id AS id, p.amount FROM payment p WHERE p.rental_id = :id ORDER BY p.payment_id;

-- rpc: sakila.v1.RentalService.RentFilm
-- name: copy :opt into=-
-- expect: 1 else FAILED_PRECONDITION NO_COPY "no copy of film {film_id} is on the shelf of store {store_id}"
SELECT i.inventory_id AS _id
  FROM inventory i
 WHERE i.film_id = :film_id AND i.store_id = :store_id
   AND NOT EXISTS (SELECT 1 FROM rental r WHERE r.inventory_id = i.inventory_id AND r.return_date IS NULL)
 ORDER BY i.inventory_id LIMIT 1 FOR UPDATE;
-- name: rental :exec
INSERT INTO rental (rental_date, inventory_id, customer_id, staff_id) VALUES (NOW(), :copy._id, :customer_id, :staff_id);
-- name: payment :exec
INSERT INTO payment (customer_id, staff_id, rental_id, amount, payment_date)
VALUES (:customer_id, :staff_id, :rental.last_insert_id, :amount, NOW());
-- name: reply :call GetRental id=:rental.last_insert_id

-- rpc: sakila.v1.RentalService.ReturnRental
-- name: back :exec
-- expect: 1 else FAILED_PRECONDITION NOT_RENTED "rental {id} is not out"
UPDATE rental SET return_date = NOW() WHERE rental_id = :id AND return_date IS NULL;
