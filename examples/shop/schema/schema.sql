-- The old shop's tables. Begun in 2005, added to ever since, never tidied up.

-- Lists that the whole shop looks things up in. MyISAM, latin1.

CREATE TABLE languages (
  languages_id int(11) NOT NULL AUTO_INCREMENT,
  languages_code char(2) NOT NULL DEFAULT '',
  languages_name varchar(32) NOT NULL DEFAULT '',
  languages_default tinyint(1) NOT NULL DEFAULT 0,
  PRIMARY KEY (languages_id)
) ENGINE=MyISAM DEFAULT CHARSET=latin1;

-- Orders copy countries_name. Orders from before a country was renamed have countries_oldname.
CREATE TABLE countries (
  countries_id int(11) NOT NULL AUTO_INCREMENT,
  countries_name varchar(64) NOT NULL DEFAULT '',
  countries_oldname varchar(64) NOT NULL DEFAULT '',
  countries_iso char(2) NOT NULL DEFAULT '',
  countries_eu char(1) NOT NULL DEFAULT '',
  PRIMARY KEY (countries_id),
  KEY iso (countries_iso),
  UNIQUE KEY name (countries_name),
  KEY oldname (countries_oldname)
) ENGINE=MyISAM DEFAULT CHARSET=latin1;

CREATE TABLE currencies (
  currencies_code char(3) NOT NULL DEFAULT '',
  currencies_title varchar(32) NOT NULL DEFAULT '',
  currencies_left varchar(16) NOT NULL DEFAULT '',
  currencies_right varchar(16) NOT NULL DEFAULT '',
  currencies_point char(1) NOT NULL DEFAULT '.',
  currencies_rate decimal(14,6) NOT NULL DEFAULT 1.000000,
  currencies_updated varchar(14) NOT NULL DEFAULT '',
  PRIMARY KEY (currencies_code)
) ENGINE=MyISAM DEFAULT CHARSET=latin1;

CREATE TABLE tax_rates (
  tax_class int(11) NOT NULL DEFAULT 0,
  tax_percent decimal(7,4) NOT NULL DEFAULT 0.0000,
  tax_title varchar(64) NOT NULL DEFAULT '',
  KEY class (tax_class)
) ENGINE=MyISAM DEFAULT CHARSET=latin1;

-- Everything that can be set in the back office; lists as serialize() wrote them.
CREATE TABLE configuration (
  `key` varchar(64) NOT NULL DEFAULT '',
  `group` varchar(32) NOT NULL DEFAULT '',
  `value` text NOT NULL,
  order_ int(11) NOT NULL DEFAULT 0,
  changed datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  PRIMARY KEY (`key`),
  KEY `group` (`group`, order_)
) ENGINE=MyISAM DEFAULT CHARSET=latin1;

-- The next id of what has no AUTO_INCREMENT is counters_value + 1.
CREATE TABLE counters (
  counters_name varchar(32) NOT NULL DEFAULT '',
  counters_value int(10) unsigned NOT NULL DEFAULT 0,
  PRIMARY KEY (counters_name)
) ENGINE=InnoDB DEFAULT CHARSET=latin1;

-- The catalogue. MyISAM, latin1, names and descriptions with HTML escaped on the way in.

CREATE TABLE makers (
  makers_id int(11) NOT NULL AUTO_INCREMENT,
  makers_name varchar(64) NOT NULL DEFAULT '',
  makers_url varchar(255) NOT NULL DEFAULT '',
  PRIMARY KEY (makers_id),
  KEY name (makers_name)
) ENGINE=MyISAM DEFAULT CHARSET=latin1;

CREATE TABLE categories (
  categories_id int(11) NOT NULL AUTO_INCREMENT,
  categories_parent int(11) NOT NULL DEFAULT 0,
  categories_visible tinyint(1) NOT NULL DEFAULT 1,
  order_ int(11) NOT NULL DEFAULT 0,
  PRIMARY KEY (categories_id),
  KEY parent (categories_parent, order_)
) ENGINE=MyISAM DEFAULT CHARSET=latin1;

CREATE TABLE categories_texts (
  categories_id int(11) NOT NULL DEFAULT 0,
  language_id int(11) NOT NULL DEFAULT 1,
  categories_name varchar(64) NOT NULL DEFAULT '',
  PRIMARY KEY (categories_id, language_id),
  KEY name (language_id, categories_name)
) ENGINE=MyISAM DEFAULT CHARSET=latin1;

CREATE TABLE products (
  products_id int(10) unsigned NOT NULL AUTO_INCREMENT,
  products_sku varchar(32) NOT NULL DEFAULT '',
  products_maker int(11) NOT NULL DEFAULT 0,
  products_price decimal(15,4) NOT NULL DEFAULT 0.0000,
  products_taxclass int(11) NOT NULL DEFAULT 1,
  products_weight decimal(8,3) NOT NULL DEFAULT 0.000,
  products_active char(1) NOT NULL DEFAULT 'J',
  products_featured enum('Y','N') NOT NULL DEFAULT 'N',
  products_download int(11) NOT NULL DEFAULT 0,
  products_image varchar(64) NOT NULL DEFAULT '',
  products_image_md5 binary(16) DEFAULT NULL,
  products_available datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  products_added datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  products_changed datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  products_removed datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  PRIMARY KEY (products_id),
  UNIQUE KEY sku (products_sku),
  KEY price (products_price, products_id),
  KEY added (products_added, products_id)
) ENGINE=MyISAM DEFAULT CHARSET=latin1;

CREATE TABLE products_texts (
  products_id int(10) unsigned NOT NULL DEFAULT 0,
  language_id int(11) NOT NULL DEFAULT 1,
  products_name varchar(128) NOT NULL DEFAULT '',
  products_description text NOT NULL,
  products_views int(11) NOT NULL DEFAULT 0,
  PRIMARY KEY (products_id, language_id),
  KEY name (language_id, products_name, products_id)
) ENGINE=MyISAM DEFAULT CHARSET=latin1;

CREATE TABLE products_categories (
  products_id int(10) unsigned NOT NULL DEFAULT 0,
  categories_id int(11) NOT NULL DEFAULT 0,
  KEY product (products_id),
  KEY category (categories_id)
) ENGINE=MyISAM DEFAULT CHARSET=latin1;

CREATE TABLE products_attributes (
  products_id int(10) unsigned NOT NULL DEFAULT 0,
  `group` varchar(32) NOT NULL DEFAULT '',
  `key` varchar(64) NOT NULL DEFAULT '',
  `value` varchar(255) NOT NULL DEFAULT '',
  order_ int(11) NOT NULL DEFAULT 0,
  KEY product (products_id, order_)
) ENGINE=MyISAM DEFAULT CHARSET=latin1;

-- By article number, not by id: the warehouse brought this table along when it moved in. utf8mb4.
CREATE TABLE products_stock (
  stock_sku varchar(32) NOT NULL DEFAULT '',
  stock_count int(11) NOT NULL DEFAULT 0,
  stock_place varchar(16) NOT NULL DEFAULT '',
  stock_changed varchar(14) NOT NULL DEFAULT '',
  PRIMARY KEY (stock_sku)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- Came with the phone app. utf8mb4; products_id is a bigint here.
CREATE TABLE products_reviews (
  products_id bigint(20) NOT NULL DEFAULT 0,
  reviews_nr int(11) NOT NULL DEFAULT 0,
  customers_id varchar(12) NOT NULL DEFAULT '',
  reviews_author varchar(64) NOT NULL DEFAULT '',
  reviews_stars tinyint(4) NOT NULL DEFAULT 0,
  reviews_text text NOT NULL,
  reviews_verified enum('Y','N') NOT NULL DEFAULT 'N',
  reviews_time varchar(14) NOT NULL DEFAULT '',
  PRIMARY KEY (products_id, reviews_nr)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- Customers. InnoDB since the crash of 2011.

CREATE TABLE customers (
  customers_id int(10) unsigned NOT NULL DEFAULT 0,
  customers_login varchar(96) NOT NULL DEFAULT '',
  customers_password varchar(40) NOT NULL DEFAULT '',
  customers_title char(1) NOT NULL DEFAULT '',
  customers_firstname varchar(64) NOT NULL DEFAULT '',
  customers_lastname varchar(64) NOT NULL DEFAULT '',
  customers_company varchar(128) NOT NULL DEFAULT '',
  customers_phone varchar(32) NOT NULL DEFAULT '',
  customers_birthday datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  customers_group int(11) NOT NULL DEFAULT 0,
  customers_newsletter enum('Y','N') NOT NULL DEFAULT 'N',
  customers_locked tinyint(1) NOT NULL DEFAULT 0,
  customers_address int(11) NOT NULL DEFAULT 0,
  customers_since varchar(14) NOT NULL DEFAULT '',
  customers_lastlogin varchar(14) NOT NULL DEFAULT '',
  customers_logins int(11) NOT NULL DEFAULT 0,
  customers_changed datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  PRIMARY KEY (customers_id),
  UNIQUE KEY login (customers_login),
  KEY name (customers_lastname, customers_id),
  KEY since (customers_since, customers_id)
) ENGINE=InnoDB DEFAULT CHARSET=latin1;

CREATE TABLE customers_addresses (
  addresses_id int(11) NOT NULL AUTO_INCREMENT,
  customers_id int(11) NOT NULL DEFAULT 0,
  addresses_name varchar(128) NOT NULL DEFAULT '',
  addresses_company varchar(128) NOT NULL DEFAULT '',
  addresses_street varchar(128) NOT NULL DEFAULT '',
  addresses_zip varchar(10) NOT NULL DEFAULT '',
  addresses_city varchar(64) NOT NULL DEFAULT '',
  addresses_country int(11) NOT NULL DEFAULT 0,
  PRIMARY KEY (addresses_id),
  KEY customer (customers_id)
) ENGINE=InnoDB DEFAULT CHARSET=latin1;

-- Written by the points module, which pads ids to eight places: '00000042'.
CREATE TABLE customers_points (
  points_customer char(8) NOT NULL DEFAULT '',
  points_balance int(11) NOT NULL DEFAULT 0,
  points_changed varchar(14) NOT NULL DEFAULT '',
  PRIMARY KEY (points_customer)
) ENGINE=InnoDB DEFAULT CHARSET=latin1;

-- Whatever did not fit anywhere else. customers_id is text here.
CREATE TABLE customers_extra (
  customers_id varchar(12) NOT NULL DEFAULT '',
  `group` varchar(32) NOT NULL DEFAULT '',
  `key` varchar(64) NOT NULL DEFAULT '',
  `value` varchar(255) NOT NULL DEFAULT '',
  order_ int(11) NOT NULL DEFAULT 0,
  KEY customer (customers_id, order_)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE customers_groups (
  customers_group int(11) NOT NULL DEFAULT 0,
  language_id int(11) NOT NULL DEFAULT 1,
  groups_name varchar(32) NOT NULL DEFAULT '',
  PRIMARY KEY (customers_group, language_id)
) ENGINE=MyISAM DEFAULT CHARSET=latin1;

CREATE TABLE sessions (
  sessions_key char(32) NOT NULL DEFAULT '',
  sessions_expires varchar(14) NOT NULL DEFAULT '',
  sessions_value mediumtext NOT NULL,
  KEY `key` (sessions_key),
  KEY expires (sessions_expires)
) ENGINE=MyISAM DEFAULT CHARSET=latin1;

-- Orders. InnoDB.

CREATE TABLE orders (
  orders_id int(10) unsigned NOT NULL DEFAULT 0,
  orders_customer int(11) NOT NULL DEFAULT 0,
  orders_email varchar(96) NOT NULL DEFAULT '',
  orders_cust_name varchar(128) NOT NULL DEFAULT '',
  orders_cust_company varchar(128) NOT NULL DEFAULT '',
  orders_cust_street varchar(128) NOT NULL DEFAULT '',
  orders_cust_zip varchar(10) NOT NULL DEFAULT '',
  orders_cust_city varchar(64) NOT NULL DEFAULT '',
  orders_cust_country varchar(64) NOT NULL DEFAULT '',
  orders_ship_name varchar(128) NOT NULL DEFAULT '',
  orders_ship_company varchar(128) NOT NULL DEFAULT '',
  orders_ship_street varchar(128) NOT NULL DEFAULT '',
  orders_ship_zip varchar(10) NOT NULL DEFAULT '',
  orders_ship_city varchar(64) NOT NULL DEFAULT '',
  orders_ship_country varchar(64) NOT NULL DEFAULT '',
  orders_bill_name varchar(128) NOT NULL DEFAULT '',
  orders_bill_company varchar(128) NOT NULL DEFAULT '',
  orders_bill_street varchar(128) NOT NULL DEFAULT '',
  orders_bill_zip varchar(10) NOT NULL DEFAULT '',
  orders_bill_city varchar(64) NOT NULL DEFAULT '',
  orders_bill_country varchar(64) NOT NULL DEFAULT '',
  orders_shipping varchar(8) NOT NULL DEFAULT '',
  orders_payment varchar(8) NOT NULL DEFAULT '',
  orders_payment_ref varchar(64) NOT NULL DEFAULT '',
  orders_payment_days int(11) NOT NULL DEFAULT 0,
  orders_card_brand varchar(16) NOT NULL DEFAULT '',
  orders_card_holder varchar(64) NOT NULL DEFAULT '',
  orders_card_number varchar(32) NOT NULL DEFAULT '',
  orders_card_expires char(4) NOT NULL DEFAULT '',
  orders_currency char(3) NOT NULL DEFAULT 'EUR',
  orders_currency_rate decimal(14,6) NOT NULL DEFAULT 1.000000,
  orders_status int(11) NOT NULL DEFAULT 1,
  orders_language int(11) NOT NULL DEFAULT 1,
  orders_gift char(1) NOT NULL DEFAULT '',
  orders_comment text DEFAULT NULL,
  orders_ip varchar(15) NOT NULL DEFAULT '',
  orders_purchased datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  orders_changed datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  orders_paid datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  orders_shipped datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  PRIMARY KEY (orders_id),
  KEY customer (orders_customer, orders_id),
  KEY status (orders_status, orders_id),
  KEY purchased (orders_purchased, orders_id),
  KEY email (orders_email)
) ENGINE=InnoDB DEFAULT CHARSET=latin1;

-- products_id is text here: it once carried the chosen variant too.
CREATE TABLE orders_positions (
  positions_id int(11) NOT NULL AUTO_INCREMENT,
  orders_id int(11) NOT NULL DEFAULT 0,
  products_id varchar(24) NOT NULL DEFAULT '',
  positions_sku varchar(32) NOT NULL DEFAULT '',
  positions_name varchar(128) NOT NULL DEFAULT '',
  positions_quantity int(11) NOT NULL DEFAULT 0,
  positions_price decimal(15,4) NOT NULL DEFAULT 0.0000,
  positions_tax decimal(7,4) NOT NULL DEFAULT 0.0000,
  PRIMARY KEY (positions_id),
  KEY `order` (orders_id, positions_id),
  KEY sku (positions_sku, orders_id)
) ENGINE=InnoDB DEFAULT CHARSET=latin1;

-- What stands at the foot of the invoice: as text for people, and as a number beside it.
CREATE TABLE orders_total (
  total_id int(11) NOT NULL AUTO_INCREMENT,
  orders_id int(11) NOT NULL DEFAULT 0,
  total_class varchar(16) NOT NULL DEFAULT '',
  total_label varchar(64) NOT NULL DEFAULT '',
  total_text varchar(64) NOT NULL DEFAULT '',
  total_value decimal(15,4) NOT NULL DEFAULT 0.0000,
  order_ int(11) NOT NULL DEFAULT 0,
  PRIMARY KEY (total_id),
  KEY `order` (orders_id, order_)
) ENGINE=InnoDB DEFAULT CHARSET=latin1;

CREATE TABLE orders_log (
  orders_id int(11) NOT NULL DEFAULT 0,
  log_nr int(11) NOT NULL DEFAULT 0,
  log_status int(11) NOT NULL DEFAULT 0,
  log_time varchar(14) NOT NULL DEFAULT '',
  log_mailed tinyint(1) NOT NULL DEFAULT 0,
  log_comment text DEFAULT NULL,
  KEY `order` (orders_id, log_nr)
) ENGINE=InnoDB DEFAULT CHARSET=latin1;

CREATE TABLE orders_status (
  status_id int(11) NOT NULL DEFAULT 0,
  language_id int(11) NOT NULL DEFAULT 1,
  status_name varchar(32) NOT NULL DEFAULT '',
  PRIMARY KEY (status_id, language_id)
) ENGINE=MyISAM DEFAULT CHARSET=latin1;

CREATE TABLE vouchers (
  vouchers_code varchar(16) NOT NULL DEFAULT '',
  vouchers_amount decimal(15,4) NOT NULL DEFAULT 0.0000,
  vouchers_active enum('Y','N') NOT NULL DEFAULT 'Y',
  vouchers_used int(11) NOT NULL DEFAULT 0,
  vouchers_until date NOT NULL DEFAULT '0000-00-00',
  PRIMARY KEY (vouchers_code)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- Logs that nobody reads. No keys worth the name.

CREATE TABLE newsletter_log (
  customers_id varchar(12) NOT NULL DEFAULT '',
  newsletter_nr int(11) NOT NULL DEFAULT 0,
  newsletter_sent varchar(14) NOT NULL DEFAULT ''
) ENGINE=MyISAM DEFAULT CHARSET=latin1;

CREATE TABLE search_log (
  search_words varchar(128) NOT NULL DEFAULT '',
  search_hits int(11) NOT NULL DEFAULT 0,
  search_time varchar(14) NOT NULL DEFAULT ''
) ENGINE=MyISAM DEFAULT CHARSET=latin1;
