package preflight

import (
	"context"
	"slices"
	"strings"
)

// evader is an account or a role that may change what its session logs.
type evader struct {
	account string // quoted
	rights  []string
	role    bool
}

// administrators are accounts that every server has, with all rights.
var administrators = []string{"root", "mysql", "mariadb.sys", "mysql.sys", "mysql.session", "mysql.infoschema"}

// checkSessionRights names who may set sql_log_bin, binlog_format and binlog_row_image for a session.
func (c *check) checkSessionRights(ctx context.Context) error {
	read, edges := c.mysqlEvaders, "SELECT from_user AS ru, from_host AS rh, to_user AS mu, to_host AS mh FROM mysql.role_edges"
	if c.server.mariadb {
		read, edges = c.mariadbEvaders, "SELECT role AS ru, '' AS rh, user AS mu, host AS mh FROM mysql.roles_mapping"
	}
	var holders []evader
	var members []row
	var err error
	if !c.server.grants.schema("mysql", "SELECT") {
		c.add(Note, SessionRights, c.server.account+" lacks SELECT on mysql: who may write with sql_log_bin = 0, or log statements, can't be seen", "GRANT SELECT ON mysql.* TO "+c.server.account+";")
		return nil
	}
	if holders, err = read(ctx); err != nil {
		return err
	}
	if members, err = c.q.all(ctx, "the roles", edges); err != nil {
		return err
	}
	var names, mend []string
	for _, h := range holders {
		name := h.account
		if by := memberAccounts(members, h.account); len(by) > 0 {
			name += " (a role of " + list(by, c.options.MaxNames) + ")"
		} else if h.role {
			continue // A role that nobody has.
		}
		names = append(names, name)
		mend = append(mend, "REVOKE "+strings.Join(h.rights, ", ")+" ON *.* FROM "+h.account+";")
	}
	if len(names) > 0 {
		c.add(Warning, SessionRights, "accounts that may write with sql_log_bin = 0 or log statements in their sessions, by which changes would be lost: "+list(names, c.options.MaxNames), lines(mend, c.options.MaxNames))
	}
	return nil
}

func (c *check) mysqlEvaders(ctx context.Context) ([]evader, error) {
	rows, err := c.q.all(ctx, "the accounts' rights", `SELECT user AS u, host AS h, 'SUPER' AS p, account_locked AS l FROM mysql.user WHERE super_priv = 'Y'
UNION ALL SELECT g.user, g.host, g.priv, u.account_locked FROM mysql.global_grants g JOIN mysql.user u ON u.user = g.user AND u.host = g.host
WHERE g.priv IN ('SYSTEM_VARIABLES_ADMIN', 'SESSION_VARIABLES_ADMIN') ORDER BY 1, 2, 3`)
	if err != nil {
		return nil, err
	}
	var all []evader
	for _, r := range rows {
		account := quote(r["u"]) + "@" + quote(r["h"])
		switch {
		case slices.Contains(administrators, r["u"]):
		case len(all) > 0 && all[len(all)-1].account == account:
			all[len(all)-1].rights = append(all[len(all)-1].rights, r["p"])
		default:
			// Roles are accounts that are locked.
			all = append(all, evader{account: account, rights: []string{r["p"]}, role: r["l"] == "Y"})
		}
	}
	return all, nil
}

// mariadbEvaders reads the rights as bits (MariaDB's sql/privilege.h): its information_schema.user_privileges has no roles.
// Since 10.11 SUPER does not include BINLOG ADMIN.
func (c *check) mariadbEvaders(ctx context.Context) ([]evader, error) {
	const super, binlogAdmin = "1 << 15", "1 << 36"
	superAlone := "0"
	if !c.server.atLeast(10, 11) {
		superAlone = super
	}
	rows, err := c.q.all(ctx, "the accounts' rights", "SELECT user AS u, host AS h, a & ("+binlogAdmin+") <> 0 AS admin, a & ("+superAlone+") <> 0 AS super, r AS role FROM"+
		" (SELECT user, host, CAST(JSON_VALUE(priv, '$.access') AS UNSIGNED) AS a, IFNULL(JSON_VALUE(priv, '$.is_role'), 0) AS r FROM mysql.global_priv) p"+
		" WHERE a & ("+binlogAdmin+" | "+superAlone+") <> 0 ORDER BY 1, 2")
	if err != nil {
		return nil, err
	}
	var all []evader
	for _, r := range rows {
		if slices.Contains(administrators, r["u"]) {
			continue
		}
		e := evader{account: quote(r["u"]), role: r["role"] != "0" && !strings.EqualFold(r["role"], "false")}
		if !e.role {
			e.account += "@" + quote(r["h"])
		}
		if r["admin"] == "1" {
			e.rights = append(e.rights, "BINLOG ADMIN")
		}
		if r["super"] == "1" {
			e.rights = append(e.rights, "SUPER")
		}
		all = append(all, e)
	}
	return all, nil
}

// memberAccounts gives the accounts that have a role, also by another role.
func memberAccounts(edges []row, role string) []string {
	var all []string
	seen := []string{role}
	for i := 0; i < len(seen); i++ {
		for _, e := range edges {
			of, member := quote(e["ru"]), quote(e["mu"])
			if e["rh"] != "" {
				of += "@" + quote(e["rh"])
			}
			isAccount := e["mh"] != ""
			if isAccount {
				member += "@" + quote(e["mh"])
			}
			if of != seen[i] || slices.Contains(seen, member) || slices.Contains(administrators, e["mu"]) {
				continue
			}
			seen = append(seen, member)
			if isAccount {
				all = append(all, member)
			}
		}
	}
	return all
}
