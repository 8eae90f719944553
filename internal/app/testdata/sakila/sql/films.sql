-- enum: sakila.v1.Rating G='G' PG='PG' PG13='PG-13' R='R' NC17='NC-17'

-- rpc: sakila.v1.FilmService.GetFilm
-- name: film :one
SELECT f.film_id AS id, f.title, f.description, f.release_year, l.name AS language, o.name AS original_language,
       f.rating, f.rental_rate, f.rental_duration AS rental_days, f.special_features, f.last_update AS update_time
  FROM film f
  JOIN language l ON l.language_id = f.language_id
  LEFT JOIN language o ON o.language_id = f.original_language_id
 WHERE f.film_id = :id;
-- name: actors :many into=actors
SELECT a.actor_id AS id, a.first_name, a.last_name
  FROM film_actor fa JOIN actor a ON a.actor_id = fa.actor_id
 WHERE fa.film_id = :id
 ORDER BY a.actor_id;
-- name: categories :many into=categories
SELECT c.name AS categories
  FROM film_category fc JOIN category c ON c.category_id = fc.category_id
 WHERE fc.film_id = :id
 ORDER BY c.name;

-- rpc: sakila.v1.FilmService.ListFilms
-- name: films :many into=films
SELECT f.film_id AS id, f.title, f.release_year, f.rating, f.rental_rate, f.rental_duration AS rental_days
  FROM film f
 WHERE :page
   AND f.rating = :rating                   -- ?
   AND f.title LIKE :prefix(title_prefix)   -- ?
   AND EXISTS (SELECT 1 FROM film_category fc JOIN category c ON c.category_id = fc.category_id WHERE fc.film_id = f.film_id AND c.name = :category) -- ?
 ORDER BY f.film_id                         -- if: order_by == ""
 ORDER BY f.title, f.film_id                -- if: order_by == "title"
 ORDER BY f.rental_rate DESC, f.film_id     -- if: order_by == "rental_rate desc"
;
-- name: actors :many into=films[id=film_id].actors
SELECT fa.film_id, a.actor_id AS id, a.first_name, a.last_name
  FROM film_actor fa JOIN actor a ON a.actor_id = fa.actor_id
 WHERE fa.film_id IN (:films.id)
 ORDER BY fa.film_id, a.actor_id;

-- rpc: sakila.v1.FilmService.ListRoles
-- name: roles :many into=roles
SELECT fa.actor_id, fa.film_id, CONCAT(a.first_name, ' ', a.last_name) AS actor, f.title AS film
  FROM film_actor fa
  JOIN actor a ON a.actor_id = fa.actor_id
  JOIN film f ON f.film_id = fa.film_id
 WHERE :page
   AND fa.actor_id = :actor_id -- ?
   AND fa.film_id = :film_id   -- ?
 ORDER BY fa.actor_id, fa.film_id;

-- rpc: sakila.v1.FilmService.ExportFilms
-- name: films :many
SELECT f.film_id AS id, f.title, f.description, f.release_year, f.rating, f.special_features, f.last_update AS update_time
  FROM film f
 ORDER BY f.film_id;
